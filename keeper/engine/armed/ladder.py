"""The rungs of a ladder: what would be decided and planned for one position at prices not yet come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from keeper.core.armed.scenarios import Prices, Scenario
from keeper.core.decide import Intent, decide
from keeper.core.rules import Assessment, Unjudged, assess
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address, Bps, decimal_of
from keeper.engine.armed.arms import Arms, Base, Rung
from keeper.engine.engine import Engine

AnyArms = Arms[Any, Any, Any, Any, Any]
"""What making plans ready asks of a kind, whichever: the story reads nothing of a position by itself."""
AnyRung = Rung[Any, Any]
AnyBase = Base[Any, Any, Any, Any]
I = TypeVar("I", bound=Intent[Any])  # noqa: E741 - an intent


async def ladder(
    engine: Engine,
    arms: AnyArms,
    base: AnyBase,
    snapshot: Snapshot,
    one: Assessment[Any],
    scenario: Scenario,
    factors: Sequence[int],
    step: Bps,
) -> list[AnyRung]:
    """Return the rungs at which a rule fires and may act, with plans that leave ``step`` of the slippage unused.

    Raises NodeError, JournalError.
    """
    now, intents = arms.outlook.prices(one.position), list[Any]()
    for factor in factors:
        intent = await _intent(engine, arms, snapshot, one, scenario.prices(now, factor))
        if intent is not None:
            intents.append(intent)
        await asyncio.sleep(0)
    return await base.rungs(intents, step) if intents else []


async def _intent(engine: Engine, arms: AnyArms, snapshot: Snapshot, one: Assessment[Any], at: Prices) -> Any | None:
    """Return what would be decided at other prices. Doubts are for the block on which it is decided."""
    name: str = one.position.name
    then, signer = arms.outlook.at_prices(one.position, at), engine.reader.positions[name].spender
    trail, rules = engine.perps.trails.get(name), arms.rules(engine, name)
    there: Any = assess(arms.kind, then, rules, (), drifts=one.drifts, trail=trail)
    if isinstance(there, Unjudged):
        return None
    memory = replace(await engine.recall(there, snapshot.block), busy={})
    intents = decide(arms.kind, there, memory, engine.terms.safety, signer).intents
    return intents[0] if intents and not intents[0].rule.is_boost else None


def named(arms: AnyArms, scenario: Scenario, at: AnyRung) -> str:
    """Return the prices of a rung that moved, for people."""
    prices = arms.outlook.prices(at.position)
    moved = [(arms.outlook.name(at.position, asset), prices[asset]) for asset in scenario.moved]
    return " and ".join(f"{name} at {decimal_of(price, 8, 2)}" for name, price in moved)


def tight(intent: I, step: Bps) -> I:
    """Return an intent that leaves a step of its slippage to the prices between two rungs."""
    limits = intent.rule.limits
    usual, worst = (Bps(max(1, bps - step)) for bps in (limits.max_slippage, limits.worst))
    within = replace(limits, max_slippage=usual, worst_slippage=worst)
    return replace(intent, rule=replace(intent.rule, limits=within))


def signer_of(engine: Engine, one: Assessment[Any]) -> Address:
    """Return who would sign for a position."""
    return engine.reader.positions[one.position.name].spender
