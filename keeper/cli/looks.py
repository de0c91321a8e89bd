"""What ``keeper status``, ``explain`` and ``doctor`` do: they look, and send nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from keeper.chain.errors import BlockMissingError, StaleAnswerError
from keeper.cli import show, show_settings
from keeper.cli.common import Exit, fail, finish, out, prompt
from keeper.cli.doctor import examined
from keeper.cli.doctor_findings import Level
from keeper.cli.given import each
from keeper.cli.guard import guarded, in_house
from keeper.cli.keeping import verdict
from keeper.cli.pausing import paused
from keeper.cli.pausing import show as show_pauses
from keeper.cli.show_drill import show_drill
from keeper.cli.watch import show_stands
from keeper.core.snapshot import Snapshot
from keeper.engine.cases import cases_of
from keeper.engine.cycle import consider
from keeper.engine.result import Result
from keeper.service.fire_drill import last_drill
from keeper.service.opened import Opened
from keeper.settings import Settings
from keeper.venues.ports import PricesMovedError

TRIES = 6
"""Blocks a look is tried at before it fails."""


def status(chains: list[Settings], *, as_json: bool) -> None:
    """Show the positions of every chain."""

    def work_of(settings: Settings) -> Callable[[Opened], Awaitable[Exit]]:
        async def look(engine: Opened, snapshot: Snapshot) -> Exit:
            pauses = await paused(engine.journal, settings)
            drill = await last_drill(engine.journal, settings.network.chain_id, settings.network.name)
            await show.status(
                out(), engine, snapshot, as_json=as_json, names=settings.names, pauses=pauses, drill=drill
            )
            if not as_json:
                await show_stands(out(), settings)
                show_drill(out(), drill)
                show_settings.names(out(), settings)
                show_pauses(out(), pauses, as_json=False)
            return Exit.FINE

        return lambda engine: at_one_block(engine, look)

    each(chains, lambda settings: in_house(settings, work_of(settings), is_live=False, is_look=True))


def explain(settings: Settings, name: str, *, as_json: bool) -> None:
    """Explain what would be done about one position or book."""
    known = [p.name for p in settings.positions] + [rule.position for rule in settings.book_rules]
    if name not in known:
        fail(Exit.BAD_SETTINGS, f"{settings.path}: there is no position {name!r}; known: {', '.join(known)}")

    async def look(engine: Opened, snapshot: Snapshot) -> Exit:
        result = await _considered(engine, snapshot, name)
        show.explanation(out(), snapshot, result, as_json=as_json)
        return verdict((result,), {})

    async def work(engine: Opened) -> Exit:
        return await at_one_block(engine, look)

    finish(in_house(settings, work, is_live=False, is_look=True))


def doctor(settings: Settings, *, send_test: bool, as_json: bool) -> None:
    """Look whether everything is there."""

    async def work() -> Exit:
        async with examined(settings, prompt(), send_test=send_test) as findings:
            show.findings(out(), findings, as_json=as_json)
        return Exit.FAILED if any(f.level is Level.FAILING for f in findings) else Exit.FINE

    finish(guarded(work))


async def at_one_block(engine: Opened, look: Callable[[Opened, Snapshot], Awaitable[Exit]]) -> Exit:
    """Look at the newest block, and at a newer one when the node has moved on meanwhile.

    Nothing is printed before all is read. Raises NodeError when it was so ``TRIES`` times in a row.
    """
    await engine.reader.blocks.check_chain()
    for _ in range(TRIES - 1):
        with contextlib.suppress(StaleAnswerError, BlockMissingError, PricesMovedError):
            return await look(engine, await _seen(engine))
        await asyncio.sleep(engine.reader.network.block_time_s / 4 if engine.reader.network.block_time_s < 2 else 0.5)
    return await look(engine, await _seen(engine))


async def _seen(engine: Opened) -> Snapshot:
    snapshot = await engine.reader.snapshot(await engine.reader.blocks.head())
    await engine.look_ahead(snapshot)
    return snapshot


async def _considered(engine: Opened, snapshot: Snapshot, name: str) -> Result:
    """Return what would be done about a position or a book."""
    (case, *_) = [case for case in cases_of(engine, snapshot) if case.name == name]
    return await case.open(consider)
