"""``keeper doctor``: is everything there that a rescue will need? Sends nothing; a test alarm only if asked to."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from keeper.chain.errors import NodeError
from keeper.cli import (
    doctor_drill,
    doctor_keys,
    doctor_machine,
    doctor_market,
    doctor_nodes,
    doctor_rules,
    doctor_safes,
)
from keeper.cli.doctor_findings import Finding, failing, fine
from keeper.cli.doctor_machine import examine_alarms, examine_heartbeat
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.journal import JournalError
from keeper.service import app, names
from keeper.service.opened import Opened
from keeper.settings import Settings, SettingsError, futile, surroundings
from keeper.settings.model import Secret
from keeper.venues.ports import ReadFailedError

Prompt = Callable[[str], str]


@asynccontextmanager
async def examined(settings: Settings, prompt: Prompt | None, *, send_test: bool) -> AsyncIterator[list[Finding]]:
    """Open what can be opened and return what was found: a journal that is away hides nothing of the rest."""
    try:
        async with app.opened(settings, is_live=False, is_look=True, in_full=True) as engine:
            yield await examine(engine, settings, prompt, send_test=send_test)
            return
    except JournalError as error:
        why = failing("journal", str(error), "make its place writable, or name another in [journal] url")
    except SettingsError as error:
        if not str(error).startswith(settings.journal_source):
            raise
        why = failing("journal", str(error), "correct [journal] url")
    with tempfile.TemporaryDirectory() as folder:
        for_now = replace(settings, journal_url=Secret(f"sqlite:///{Path(folder) / 'journal.sqlite'}"))
        async with app.opened(for_now, is_live=False, is_look=True, in_full=True) as engine:
            yield [why, *await examine(engine, settings, prompt, send_test=send_test, has_journal=False)]


async def examine(
    engine: Opened, settings: Settings, prompt: Prompt | None, *, send_test: bool, has_journal: bool = True
) -> list[Finding]:
    """Return what was found, in the order an owner would fix it. What one part lacks hides nothing of another."""
    lines = (*futile(settings), *surroundings(settings))
    findings = [failing("settings", line, "correct the settings at that place") for line in lines]
    findings += await doctor_nodes.examine_nodes(engine.reader.blocks, settings)
    try:
        await engine.reader.blocks.check_chain()
        block = await engine.reader.blocks.head()
        findings += await _on_chain(engine, settings, block, has_journal=has_journal)
    except NodeError as error:
        findings.append(failing("chain", str(error), "see the node's own line, or name another node"))
    findings += doctor_keys.examine_keys(settings, prompt)
    findings += doctor_keys.examine_locks(settings)
    if has_journal:
        findings += await doctor_machine.examine_journal(engine, settings)
    findings += await examine_alarms(settings, send_test=send_test)
    return [*findings, *await examine_heartbeat(settings, send_test=send_test)]


async def _on_chain(engine: Opened, settings: Settings, block: BlockRef, *, has_journal: bool) -> list[Finding]:
    """Return what a block shows: the positions, who pays, how plans are rehearsed. Raises NodeError."""
    findings = [doctor_nodes.head_age(block, settings)]
    try:
        snapshot: Snapshot | None = (seen := await engine.reader.snapshot(block))
        await engine.look_ahead(seen)
    except ReadFailedError as error:
        findings.append(failing("market", error.doubt.detail, error.doubt.reason.remedy))
        snapshot = None
    findings += await _names(engine, settings, block)
    findings.append(await doctor_nodes.rehearsal(engine.reader.blocks, settings, block))
    if snapshot is not None:
        findings += doctor_market.examine_market(engine, settings, snapshot)
        findings += await doctor_market.examine_trust(engine, snapshot)
        findings += await doctor_market.examine_agents(engine, snapshot)
        findings += doctor_market.examine_second_lines(settings, snapshot)
        findings += doctor_rules.examine_rules(engine, snapshot)
        drilled, gas = await doctor_drill.examine_drill(engine, snapshot)
        findings += drilled
        findings += doctor_keys.gas_money(snapshot, settings, gas)
    if has_journal:
        findings += await doctor_machine.examine_pauses(engine, settings)
    for signer in settings.signers:
        findings.append(await doctor_keys.account(engine, settings, signer, block))
        findings += [late] if (late := await doctor_nodes.waiting(engine.reader.blocks, signer)) else []
        findings += [found] if (found := await doctor_keys.remote(signer)) else []
        findings += doctor_safes.examine(snapshot.safes, settings, signer) if snapshot else ()
    return findings


async def _names(engine: Opened, settings: Settings, block: BlockRef) -> list[Finding]:
    """Say whose each name of ENS is, and whether it still is. Raises NodeError."""
    try:
        found = await names.records(engine.reader.blocks, block, settings)
    except ReadFailedError as error:
        return [failing("names", error.doubt.detail, error.doubt.reason.remedy)]
    said = [(f"name {record.named.name}", record) for record in found]
    remedy = "write the address itself"
    return [fine(topic, str(r)) if r.is_same else failing(topic, str(r), remedy) for topic, r in said]
