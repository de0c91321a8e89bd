"""``keeper panic``: shown, confirmed, then ordered of the keeper that runs, or carried out here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import typer

from keeper.cli import show
from keeper.cli.common import Exit, fail, finish, out, prompt, say
from keeper.cli.guard import guarded
from keeper.cli.keeping import verdict
from keeper.cli.looks import at_one_block
from keeper.core.panics import in_force
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot
from keeper.engine.cases import cases_of
from keeper.engine.cycle import consider, cycle
from keeper.engine.result import AnyOutcome, Result
from keeper.execution.lock import SignerLockedError
from keeper.service import app
from keeper.service.daemon import Daemon
from keeper.service.journal_file import remembered
from keeper.service.opened import Opened
from keeper.service.panic import give_order, take_back
from keeper.settings import Settings

ROUNDS = 12
"""Blocks at most until what was ordered is done, or nothing more can be done here."""
PAUSE_S = 1.0
WAITS = (Reason.SIGNER_BUSY, Reason.IN_FLIGHT, Reason.ORDER_PENDING)


def meant(settings: Settings, positions: Sequence[str], *, everything: bool) -> tuple[str, ...]:
    """Return the positions that are meant, each of which has its way out declared; or end."""
    declared = [r.position for r in settings.panic_rules] + [r.position for r in settings.perp_panic_rules]
    if everything == bool(positions):
        fail(Exit.BAD_SETTINGS, "name positions, or --all")
    missing = [name for name in positions if name not in declared]
    if missing or not declared:
        known = ", ".join(declared) or "none"
        what = f"no [[panic]] is declared for {', '.join(missing)}" if missing else "no [[panic]] is declared"
        fail(Exit.BAD_SETTINGS, f"{settings.path}: {what}; declared: {known} (see keeper example)")
    return tuple(dict.fromkeys(positions)) or tuple(declared)


def panic(settings: Settings, names: tuple[str, ...], *, live: bool, is_sure: bool, as_json: bool) -> None:
    """Show what would be done; with ``live``, once confirmed, do it."""
    if not live:
        finish(guarded(lambda: _shown(settings, names, as_json=as_json)))
    if not is_sure:
        _confirm(names)
    finish(guarded(lambda: _ordered(settings, names, as_json=as_json)))


def call_off(settings: Settings) -> None:
    """Forget what was ordered and is not done."""

    async def work() -> Exit:
        async with await remembered(settings) as journal:
            order = await take_back(journal, settings)
        names = ", ".join(order.positions)
        out().print(f"Called off: {names}. Paused rules stay so: keeper resume." if names else "Nothing was ordered.")
        return Exit.FINE

    finish(guarded(work))


def _confirm(names: Sequence[str]) -> None:
    if not sys.stdin.isatty():
        fail(Exit.FAILED, "nobody is here to confirm it: --yes where a script means it")
    word = names[0] if len(names) == 1 else "all"
    say(f"This closes or deleverages {', '.join(names)} now, with real money.", colour="red", bold=True)
    if typer.prompt(f"Type {word!r} to go on", default="", show_default=False) != word:
        fail(Exit.FAILED, "not confirmed: nothing was done")


async def _shown(settings: Settings, names: Sequence[str], *, as_json: bool) -> Exit:
    async def look(engine: Opened, snapshot: Snapshot) -> Exit:
        results = [await case.open(consider) for case in cases_of(engine, snapshot) if case.name in names]
        show.results(out(), engine.terms.mode, tuple(results), {}, as_json=as_json)
        return verdict(tuple(results), {})

    async with app.opened(settings, is_live=False, is_look=True, in_full=True) as engine:
        engine.state.rules = in_force((), settings.panic_rules, names)
        engine.perps.rules, engine.perps.book_rules = in_force((), settings.perp_panic_rules, names), ()
        return await at_one_block(engine, look)


async def _ordered(settings: Settings, names: Sequence[str], *, as_json: bool) -> Exit:
    """Carry it out here; where another keeper holds the signer, leave word for it, which it heeds at its next block."""
    try:
        async with app.opened(settings, is_live=True, prompt=prompt(), in_full=True) as engine:
            await give_order(engine.journal, settings, names)
            return await _carried_out(engine, settings, as_json=as_json)
    except SignerLockedError as error:
        async with await remembered(settings) as journal:
            await give_order(journal, settings, names)
        who = f"process {error.pid}" if error.pid is not None else "another process"
        say(f"Ordered of the keeper that runs ({who}): it begins with its next block.", colour="yellow")
        say(
            "Follow it with `keeper journal` and `keeper tx list`; call it off with `keeper panic --off`.",
            colour="yellow",
        )
        return Exit.FINE


async def _carried_out(engine: Opened, settings: Settings, *, as_json: bool) -> Exit:
    await engine.reader.blocks.check_chain()
    daemon = Daemon(engine, settings)
    await daemon.afterwards.reconcile()
    engine.state.rules = engine.perps.rules = engine.perps.book_rules = ()
    seen, outcomes = dict[str, Result](), dict[str, AnyOutcome | None]()
    for _ in range(ROUNDS):
        await daemon.panic.heed()
        if not daemon.panic.order.positions:
            break
        results = await cycle(engine, await engine.reader.blocks.head())
        seen |= {r.name: r for r in results if r.name in daemon.panic.order.positions or r.name not in seen}
        done = {r.name: await _awaited(r) for r in results if r.outcome is not None}
        outcomes |= done
        await daemon.panic.saw(results)
        if not done and not any(h.reason in WAITS for r in results for h in r.holds):
            break
        await asyncio.sleep(min(PAUSE_S, settings.network.block_time_s))
    await daemon.afterwards.look_back()
    await engine.remember_alarms()
    left = daemon.panic.order.positions
    show.results(out(), engine.terms.mode, tuple(seen.values()), outcomes, as_json=as_json)
    if left:
        say(f"Not done yet: {', '.join(left)}. `keeper run --live` goes on with it.", colour="red", bold=True)
    return Exit.IN_DANGER if left else Exit.FINE


async def _awaited(result: Result) -> AnyOutcome | None:
    return await result.outcome if isinstance(result.outcome, asyncio.Task) else result.outcome
