"""This machine: whether the journal can be written, what is paused, whether an alarm arrives."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from keeper.cli.doctor_findings import Finding, failing, fine, warning
from keeper.cli.pausing import paused
from keeper.journal import JournalError
from keeper.observe.alarm_address import silenced
from keeper.observe.delivery import AppriseAlarm
from keeper.observe.heartbeat import Heartbeat
from keeper.service.opened import Opened
from keeper.settings import Settings

DELIVERY_S = 30
"""How long one test alarm may take."""
LEAST_ROOM = 100_000_000
"""Bytes free beside the journal."""
TRIAL = "doctor"
"""The fact that is written and forgotten again."""


async def examine_journal(engine: Opened, settings: Settings) -> list[Finding]:
    """Write into the journal and take it back; look whether there is room for a year of it."""
    try:
        await engine.journal.facts.set(TRIAL, int(time.time()))
        await engine.journal.facts.set(TRIAL, None)
    except JournalError as error:
        return [failing("journal", str(error), "nothing is signed before it is written: make the journal writable")]
    scheme, _, path = settings.journal_url.reveal().partition(":///")
    found = [fine("journal", "can be written")]
    if scheme == "sqlite":
        free = shutil.disk_usage(Path(path).parent).free
        if free < LEAST_ROOM:
            text = f"{free // 10**6} MB are free beside it: once it is full, nothing is signed any more"
            found = [failing("journal", text, "make room, or move it to another disk")]
    return found


async def examine_pauses(engine: Opened, settings: Settings) -> list[Finding]:
    """Return what its owner paused: of that nothing is rescued."""
    try:
        there = await paused(engine.journal, settings)
    except JournalError:
        return []  # said of the journal
    remedy = "keeper resume, once it may act again"
    return [warning("paused", f"{one.subject}: nothing of it is signed, alerts go on", remedy) for one in there]


async def examine_alarms(settings: Settings, *, send_test: bool) -> list[Finding]:
    """Return whether alarms have somewhere to go; with a test, whether they arrive there."""
    urls = [url.reveal() for url in (*settings.alerts.urls, *settings.alerts.escalate_urls)]
    if not urls:
        return [warning("alarms", "no address: only the log will say", "name one in [alerts] urls")]
    if not send_test:
        return [fine("alarms", f"{_counted(len(urls))}, not tried: --send-test sends a test to each")]
    return [await _delivered(f"alarm {i} of {len(urls)}", url, settings) for i, url in enumerate(urls, 1)]


async def examine_heartbeat(settings: Settings, *, send_test: bool) -> list[Finding]:
    """Return whether the dead-man's switch hears: where it does not, nobody hears of a keeper that ended."""
    url = settings.alerts.heartbeat_url
    if url is None:
        return []
    if not send_test:
        return [fine("heartbeat", "named, not tried: --send-test calls it")]
    failed = list[str]()
    await asyncio.to_thread(Heartbeat(url.reveal(), 0, failed.append).call)
    remedy = "check [alerts] heartbeat_url, and that this machine may reach it"
    return [failing("heartbeat", f"not heard ({failed[0]})", remedy)] if failed else [fine("heartbeat", "was heard")]


async def _delivered(topic: str, url: str, settings: Settings) -> Finding:
    """Send a test to one address, of which only the kind is shown."""
    kind = url.partition("://")[0]
    body = f"This is a test by `keeper doctor --send-test` of the keeper on {settings.network.name}. All is as it was."
    remedy = "check the address and its token, and that this machine may reach it"
    try:
        async with asyncio.timeout(DELIVERY_S):
            with silenced():
                sent = await asyncio.to_thread(AppriseAlarm([url]).notify, "keeper · test alarm", body)
    except TimeoutError:
        return failing(topic, f"{kind}: no answer within {DELIVERY_S} s", remedy)
    except (OSError, ValueError, TypeError) as error:
        return failing(topic, f"{kind}: not delivered ({type(error).__name__})", remedy)
    return fine(topic, f"{kind}: a test was delivered") if sent else failing(topic, f"{kind}: not delivered", remedy)


def _counted(number: int) -> str:
    return f"{number} address{'es' if number != 1 else ''}"
