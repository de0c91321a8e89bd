"""``keeper reload``: a running keeper reads its settings anew, and says here what differs or why it refuses."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict

from keeper.cli.common import Exit, fail, finish, out, say
from keeper.cli.guard import guarded
from keeper.cli.words import as_json_text
from keeper.service import reload as service
from keeper.service.journal_file import remembered
from keeper.settings import Settings

WITHIN_S = 45.0
"""How long an answer is waited for: the positions are read once by the new settings first."""
LOOK_S = 0.2


def reload(settings: Settings, *, as_json: bool) -> None:
    """Ask, wait for the answer, and print it."""
    finish(guarded(lambda: _asked(settings, as_json=as_json)))


async def _asked(settings: Settings, *, as_json: bool) -> Exit:
    name, until = os.urandom(8).hex(), time.monotonic() + WITHIN_S
    async with await remembered(settings) as journal:
        await service.wish(journal, settings, name)
        found = None
        while found is None and time.monotonic() < until:
            await asyncio.sleep(LOOK_S)
            found = await service.answer(journal, settings, name)
    if found is None:
        fail(
            Exit.FAILED,
            "No keeper answered: is one running, on this journal? One that starts reads the file by itself.",
        )
    if as_json:
        as_json_text(out(), asdict(found))
    elif found.is_done:
        out().print("\n".join(found.lines) or "Nothing differs.")
        out().print(f"Reloaded: the {found.mode.replace('_', ' ')} keeper goes by this from the newest block on.")
    else:
        say("\n".join(found.lines), colour="red")
        say("Refused: the keeper goes on with the settings it had.", colour="red", bold=True)
    return Exit.FINE if found.is_done else Exit.BAD_SETTINGS
