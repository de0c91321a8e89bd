"""What the rules say of a loan at one block, and what speaks against trading for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keeper.core.lending.kind import LENDING
from keeper.core.lending.named import is_dollar
from keeper.core.lending.position import Beside
from keeper.core.lending.rules import LendingAssessment, Rule
from keeper.core.prices import Doubt, each_its_own, price_doubts
from keeper.core.rules import Unjudged, assess, looks_ahead
from keeper.core.snapshot import LendingPosition, Snapshot, Unreadable
from keeper.core.units import Address
from keeper.engine.engine import Engine
from keeper.engine.readings import binding, readings


def judge(engine: Engine, snapshot: Snapshot, position: LendingPosition | Unreadable) -> LendingAssessment | Unjudged:
    """Judge a position by the rules; where another node says otherwise, by the worse figure."""
    found = [_judge(engine, snapshot, *reading) for reading in readings(snapshot, position, LendingPosition)]
    return binding(found, lambda judged: judged.figures.health_factor)


def _judge(
    engine: Engine, snapshot: Snapshot, position: LendingPosition | Unreadable, doubts: tuple[Doubt, ...]
) -> LendingAssessment | Unjudged:
    """Judge a position by the rules, with ``doubts`` beside what speaks against trading at this block.

    A doubt about an asset forbids trades of that asset, on the side that would lose; one about the chain forbids all.
    """
    if isinstance(position, Unreadable):
        return assess(LENDING, position, engine.state.rules_of(position.name), ())
    doubted = _doubts_of_assets(engine, snapshot, position)
    against, drifts = (*doubts, *engine.chain_doubts(snapshot)), engine.state.pace.drifts()
    rules, trail = engine.state.rules_of(position.name), engine.perps.trails.get(position.name)
    return assess(
        LENDING, _with_what_is_beside(engine, position, snapshot, rules), rules, against, doubted, drifts, trail
    )


async def judge_remembering(
    engine: Engine, snapshot: Snapshot, position: LendingPosition | Unreadable
) -> LendingAssessment | Unjudged:
    """Judge a position at a block that is seen first: averages of its rules take it in. Raises JournalError."""
    if isinstance(position, LendingPosition):
        await looked_back(engine, snapshot, position)
    return judge(engine, snapshot, position)


async def looked_back(engine: Engine, snapshot: Snapshot, position: LendingPosition) -> None:
    """Remember this block for every rule that measures an average. Raises JournalError."""
    rules = [r for r in engine.state.rules_of(position.name) if r.trigger.metric.remember is not None]
    if rules:
        await engine.perps.trail(_with_what_is_beside(engine, position, snapshot, rules), rules)


def _with_what_is_beside(
    engine: Engine, position: LendingPosition, snapshot: Snapshot, rules: Sequence[Rule]
) -> LendingPosition:
    """Return a position with what was read beside it, where rules look at that."""
    if not any(looks_ahead(rule) or rule.trigger.metric.looks_beside for rule in rules):
        return position
    return replace(position, beside=Beside(snapshot.seconds, snapshot.backings, engine.state.market))


def _doubts_of_assets(
    engine: Engine, snapshot: Snapshot, position: LendingPosition
) -> dict[Address, tuple[Doubt, ...]]:
    """Return what speaks against the price of each asset held, and of each that its rules may swap into.

    One price is looked at once for all positions.
    """
    now, bound = snapshot.block.timestamp, engine.reader.network.max_deviation
    known, found = engine.state.doubts_of(snapshot), dict[Address, tuple[Doubt, ...]]()
    for h in engine.state.traded(position):
        price = h.price
        doubted = known.get(h.asset)
        if doubted is None or doubted[0] is not price:
            doubts = price_doubts(price, snapshot.seconds.get(h.asset), bound, now)
            doubted = known[h.asset] = price, (*doubts, *engine.state.moved_too_far(price, now))
        if doubted[1]:
            found[h.asset] = doubted[1]
    if not found:
        return found
    return each_its_own(found, snapshot.seconds, {h.asset for h in position.held if is_dollar(h)})
