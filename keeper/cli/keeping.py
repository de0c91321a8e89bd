"""What ``keeper run`` and ``keeper once`` do."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING

from keeper.cli import leaving
from keeper.cli.common import Exit, finish, out, prompt, say
from keeper.cli.given import each
from keeper.cli.guard import guarded, in_house
from keeper.cli.terminal import at_terminal
from keeper.core.decide import Hold
from keeper.core.lending.metrics import as_if
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.engine.cycle import cycle
from keeper.engine.result import AnyOutcome, Result
from keeper.execution.outcome import Outcome
from keeper.service.chains import keep_all
from keeper.service.daemon import Daemon
from keeper.service.opened import Opened
from keeper.settings import Settings, futile

if TYPE_CHECKING:
    from keeper.web.server import Served
    from keeper.web.telegram import Bot

ROUNDS = 8
"""Blocks that `keeper once` judges at most, while positions wait for one signer."""


def run(chains: list[Settings], *, live: bool, web: bool = False, asks: bool = False) -> None:
    """Keep every chain's positions until it is asked to stop; with the page beside them where it is asked for."""
    terminal = at_terminal() if asks else None
    _warn(chains)
    page, bot = _page(chains) if web else None, _bot(chains)
    shows = [latest.show for latest in page.latest] if page and page.latest else []
    onlookers = [*(page.sights if page else ()), *(bot.sights if bot else ())]

    def renewed(chain: int, settings: Settings) -> None:
        """Have page and bot go by what the keeper goes by."""
        for sight in onlookers[chain :: len(chains)]:
            sight.go_by(settings)

    async def work() -> Exit:
        with page.beside() if page else nullcontext(), bot.beside() if bot else nullcontext():
            await keep_all(
                chains,
                is_live=live,
                prompt=prompt(),
                terminal=terminal,
                when_over=leaving.begin,
                shows=shows,
                renewed=renewed,
            )
        return Exit.FINE

    finish(guarded(work))


def _page(chains: list[Settings]) -> Served:
    from keeper.cli import web  # noqa: PLC0415 - for who asks for the page

    page = web.ready(chains, None, beside=True)
    web.show_link(page, opens=False)
    return page


def _bot(chains: list[Settings]) -> Bot | None:
    """Return what answers on Telegram meanwhile; None where no settings ask for it. The first file's counts."""
    named = next((of.telegram for of in chains if of.telegram), None)
    if named is None:
        return None
    from keeper.observe.voice import heard  # noqa: PLC0415 - for who has a bot
    from keeper.service.panic import give_order  # noqa: PLC0415 - likewise
    from keeper.web.telegram import Bot  # noqa: PLC0415 - likewise

    return Bot(chains, named, give_order, heard)


def once(chains: list[Settings], *, live: bool, as_json: bool, asks: bool = False) -> None:
    """Judge one block of every chain, and act on it."""
    terminal = at_terminal() if asks else None
    _warn(chains)
    each(
        chains,
        lambda s: in_house(s, lambda engine: _once(engine, s, as_json=as_json), is_live=live, terminal=terminal),
    )


def _warn(chains: list[Settings]) -> None:
    """Say what can never work: `keeper check` refuses it, here the rest goes on."""
    for line in [line for settings in chains for line in futile(settings)]:
        say(f"look: {line}", colour="yellow")


async def _once(engine: Opened, settings: Settings, *, as_json: bool) -> Exit:
    await engine.reader.blocks.check_chain()
    if engine.movements is not None:
        engine.movements.waits = True
    daemon, seen, outcomes = Daemon(engine, settings), dict[str, Result](), dict[str, AnyOutcome | None]()
    await daemon.afterwards.reconcile()
    for _ in range(ROUNDS):
        results = await cycle(engine, await engine.reader.blocks.head())
        seen |= {r.name: r for r in results if r.name not in outcomes}
        outcomes |= {r.name: await _awaited(r) for r in results if r.outcome is not None and r.name not in outcomes}
        if not any(hold.reason is Reason.SIGNER_BUSY for r in results for hold in r.holds):
            break
    await daemon.afterwards.look_back()
    await daemon.afterwards.take_back()
    await daemon.afterwards.tidy()
    await engine.remember_alarms()
    results = tuple(seen.values())
    from keeper.cli import show  # noqa: PLC0415 - tables, not for the daemon

    show.results(out(), engine.terms.mode, results, outcomes, as_json=as_json)
    return verdict(results, outcomes)


# --- what came of it -------------------------------------------------------------------------------------------------


def verdict(results: tuple[Result, ...], outcomes: dict[str, AnyOutcome | None]) -> Exit:
    """Return 3 when a rule that protects fired and the position was not brought back, 1 when one is unknown."""
    codes = {_code(result, outcomes.get(result.name)) for result in results}
    return max(codes, default=Exit.FINE)


def _code(result: Result, outcome: AnyOutcome | None) -> Exit:
    if isinstance(result.assessed, Unjudged):
        return Exit.FINE if result.assessed.doubt.reason is Reason.CLOSED else Exit.FAILED
    if isinstance(result.decision, Hold):
        return Exit.IN_DANGER if result.decision.leaves_in_danger else Exit.FINE
    if outcome is None or outcome.helped or result.decision.rule.is_boost:
        return Exit.FINE
    if (
        isinstance(result.decision, LendingIntent)
        and isinstance(outcome, Outcome)
        and _is_helped(result.decision, outcome)
    ):
        return Exit.FINE
    return Exit.IN_DANGER


def _is_helped(intent: LendingIntent, outcome: Outcome) -> bool:
    """Return whether the promise was kept, or part of it was enough for the rule to rest."""
    if outcome.helped or outcome.after is None:
        return outcome.helped
    trigger, then = intent.rule.trigger, as_if(intent.assessment.position, outcome.after)
    value = trigger.metric.now(then, trigger.of)
    return value is not None and not trigger.fires_at(value, then)


async def _awaited(result: Result) -> AnyOutcome | None:
    return await result.outcome if isinstance(result.outcome, asyncio.Task) else result.outcome
