"""The fire drill of loans: at the nearest prices that fire a rule, with the oracle made to answer them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from keeper.core.armed.loan_prices import LOANS, at_prices, prices, scenarios
from keeper.core.armed.scenarios import fires_at
from keeper.core.decide import Hold, decide
from keeper.core.drills import Drilled, Rehearsal
from keeper.core.held_back import Memory
from keeper.core.lending.kind import LENDING
from keeper.core.lending.plan import Plan
from keeper.core.lending.rules import LendingAssessment, LendingIntent, Rule
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.scales import percent
from keeper.core.snapshot import LendingPosition, Snapshot, Unreadable
from keeper.core.units import WAD, Bps, decimal_of
from keeper.engine.drill import TODAY, DrillWords, fired_alone, is_rescue
from keeper.engine.engine import Engine
from keeper.engine.lending.assess import judge
from keeper.engine.lending.plan import TRIALS, find_plans, gas_needed
from keeper.engine.lending.preflight import Prepared, carrier_of, try_plan
from keeper.engine.taken import taken_by
from keeper.engine.what_if import repriced
from keeper.execution.rehearsal import Overridden, Refused

FARTHEST = Bps(9_990)
"""How far prices are followed until a rule fires: to a thousandth of what they are."""


def rehearsals(engine: Engine, snapshot: Snapshot, p: LendingPosition | Unreadable) -> tuple[Rehearsal, ...]:
    """Return the drill of each rule of a loan that acts to protect it."""
    rules = [r for r in engine.state.rules_of(p.name) if is_rescue(r)]
    return tuple(partial(_drilled, engine, snapshot, p, rule) for rule in rules)


@dataclass(frozen=True, slots=True)
class Scene:
    """A loan where one rule fires, and at which prices that is, in words."""

    now: LendingPosition
    then: LendingPosition
    where: str


async def _drilled(engine: Engine, snapshot: Snapshot, p: LendingPosition | Unreadable, rule: Rule) -> Drilled:
    ended = DrillWords(p.name, rule.name, engine.reader.positions[p.name].signer is not None)
    assessed = judge(engine, snapshot, p)
    if isinstance(assessed, Unjudged):
        return ended.unjudged(assessed)
    if (blind := ended.blind(assessed)) is not None:
        return blind
    scene = scene_of(assessed, rule)
    seen = replace(snapshot, positions=(scene.then,), seconds={}, otherwise={}) if scene.where != TODAY else snapshot
    there = judge(engine, seen, scene.then)
    if isinstance(there, Unjudged):
        return ended.unjudged(there, scene.where)
    signer = engine.reader.positions[p.name].spender
    decided = decide(LENDING, fired_alone(there, rule), Memory(), engine.terms.safety, signer)
    if not decided.intents:
        return ended.held(decided.holds[0], scene.where)
    return await _rehearsed(engine, seen, decided.intents[0], scene, ended)


def scene_of(assessed: LendingAssessment, rule: Rule) -> Scene:
    """Return a loan at the nearest prices that make a rule fire; as it is now where it fires, or no price makes it."""
    p = assessed.position
    if any(v.fired and v.rule.name == rule.name for v in assessed.verdicts):
        return Scene(p, p, TODAY)
    found = [(factor, s) for s in scenarios(p, rule) if (factor := fires_at(LOANS, p, rule, s, FARTHEST))]
    if not found:
        return Scene(p, p, TODAY)
    factor, scenario = max(found, key=lambda pair: pair[0])
    then = at_prices(p, scenario.prices(prices(p), factor))
    return Scene(p, then, ", ".join(_moved(p, then, asset) for asset in scenario.moved))


def _moved(p: LendingPosition, then: LendingPosition, asset: Any) -> str:
    before, after = p.holding(asset).price.answer, then.holding(asset).price.answer
    change = percent(abs(after - before) * WAD // before)
    return f"{p.holding(asset).symbol} at {decimal_of(after, 8, 2)} ({'−' if after < before else '+'}{change})"


async def _rehearsed(engine: Engine, seen: Snapshot, intent: LendingIntent, scene: Scene, ended: DrillWords) -> Drilled:
    signer = engine.reader.positions[ended.position].spender
    found = await find_plans(engine, seen, intent, signer, at=lambda asked: repriced(asked, scene.now, scene.then, 1))
    if isinstance(found, Hold):
        return ended.held(found, scene.where)
    codes = engine.reader.account(ended.position).priced_at(scene.then, scene.now) or {}
    simulator, carrier = Overridden(engine.rehearser.alone, codes), await carrier_of(engine, seen, signer)
    refused = list[Refused]()
    for plan in found[:TRIALS]:
        result = await try_plan(engine, seen, plan, carrier, simulator)
        if isinstance(result, Prepared):
            gas = gas_needed(plan, seen.block.base_fee, engine.fees.last_toll, is_atomic=carrier.is_atomic)
            takes = taken_by(seen.wallets.get(signer), plan)
            return ended.worked(plan.label, gas, scene.where, short=_short(plan), takes=takes)
        refused.append(result)
    return ended.refused([plan.label for plan in found], refused, scene.where)


def _short(plan: Plan) -> tuple[str, str] | None:
    """Return why a plan does not reach its target, and what helps."""
    if not plan.is_partial:
        return None
    stood = [r for r in plan.rejected if r.reason not in (Reason.DEARER, Reason.INSUFFICIENT)]
    why = "; ".join(dict.fromkeys(f"{r.label}: {r.reason.short}{f' ({r.detail})' if r.detail else ''}" for r in stood))
    return why or Reason.INSUFFICIENT.short, stood[0].reason.remedy if stood else Reason.INSUFFICIENT.remedy
