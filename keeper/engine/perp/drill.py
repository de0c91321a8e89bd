"""The fire drill of perpetual positions: planned at the price that would fire a rule, run on the venue as it is now.

A venue's own price cannot be moved in a rehearsal: what is run shows that the calls, the money and the gate are right;
the bounds of the trade are those of the price that has not come.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from keeper.core.decide import Hold, decide
from keeper.core.drills import Drilled, Rehearsal
from keeper.core.held_back import Memory
from keeper.core.perp.fires import where_fires
from keeper.core.perp.kind import PERP
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.rules import PerpIntent, PerpRule
from keeper.core.rules import Unjudged
from keeper.core.scales import percent
from keeper.core.snapshot import Snapshot, Unreadable
from keeper.core.units import WAD, Wei
from keeper.engine.drill import TODAY, DrillWords, fired_alone, is_rescue
from keeper.engine.engine import Engine
from keeper.engine.perp.assess import judge_perp
from keeper.engine.perp.notices import price_text
from keeper.engine.perp.plan import find_perp_plans
from keeper.engine.perp.preflight import PerpPrepared, try_plan
from keeper.engine.perp.prepare import TRIALS
from keeper.execution.rehearsal import Refused


def perp_rehearsals(engine: Engine, snapshot: Snapshot, p: PerpPosition | Unreadable) -> tuple[Rehearsal, ...]:
    """Return the drill of each rule of a perpetual position that acts to protect it."""
    rules = [r for r in engine.perps.rules if r.position == p.name and is_rescue(r)]
    return tuple(partial(_drilled, engine, snapshot, p, rule) for rule in rules)


async def _drilled(engine: Engine, snapshot: Snapshot, p: PerpPosition | Unreadable, rule: PerpRule) -> Drilled:
    words = DrillWords(p.name, rule.name)
    assessed = await judge_perp(engine, snapshot, p)
    if isinstance(assessed, Unjudged) or isinstance(p, Unreadable):
        return words.unjudged(assessed) if isinstance(assessed, Unjudged) else words.nothing("it could not be read")
    if not p.held:
        return words.nothing("the position has no size")
    if (blind := words.blind(assessed)) is not None:
        return blind
    is_fired = any(v.fired and v.rule.name == rule.name for v in assessed.verdicts)
    found = None if is_fired else where_fires(p, rule)
    then, where = (p, TODAY) if found is None else (found[0], _named(p, *found))
    there = fired_alone(replace(assessed, position=then), rule)
    decided = decide(PERP, there, Memory(), engine.terms.safety, engine.reader.positions[p.name].spender)
    if not decided.intents:
        return words.held(decided.holds[0], where)
    return await _rehearsed(engine, replace(snapshot, otherwise={}), decided.intents[0], where, words)


async def _rehearsed(engine: Engine, snapshot: Snapshot, intent: PerpIntent, where: str, words: DrillWords) -> Drilled:
    found = await find_perp_plans(engine, snapshot, intent)
    if isinstance(found, Hold):
        return words.held(found, where)
    refused = list[Refused]()
    for plan in found[:TRIALS]:
        result = await try_plan(engine, snapshot, plan)
        if isinstance(result, PerpPrepared):
            value = sum(call.value for call in result.calls)
            gas = Wei(sum(result.gas_used) * snapshot.block.base_fee + value)
            short = ("no way reaches its target", "raise the limits or fund the wallet") if plan.is_partial else None
            return words.worked(plan.label, gas, where, short)
        refused.append(result)
    return words.refused([plan.label for plan in found], refused, where)


def _named(before: PerpPosition, then: PerpPosition, leg: PerpLeg) -> str:
    was, now = before.leg(leg.market), then.leg(leg.market)
    change = percent(abs(now.mark_price - was.mark_price) * WAD // was.mark_price)
    sign = "−" if now.mark_price < was.mark_price else "+"
    return f"{was.symbol} at {price_text(then, now, now.mark_price)} ({sign}{change})"
