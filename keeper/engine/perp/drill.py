"""The fire drill of perpetual positions: planned at the price that would fire a rule, and run there where that can be.

Where a price can be put into the venue's oracle (``priced_at``), and the venue takes it, the plan is run at the price
that fires its rule; the market it trades in stays where it is. Elsewhere it is run on the venue as it is now: that
shows that the calls, the money and the gate are right; the bounds of the trade are those of the price that has not
come.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from keeper.core.armed.perp_prices import PERPS, quote_at
from keeper.core.armed.scenarios import fires_at
from keeper.core.decide import Hold, decide
from keeper.core.drills import Drilled, Rehearsal
from keeper.core.held_back import Memory
from keeper.core.perp.candidates import perp_plans, quotes_wanted
from keeper.core.perp.fires import where_fires
from keeper.core.perp.kind import PERP
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.rules import PerpIntent, PerpRule
from keeper.core.rules import Unjudged
from keeper.core.scales import percent
from keeper.core.snapshot import Snapshot, Unreadable
from keeper.core.units import WAD, Bps, Wei
from keeper.engine.drill import TODAY, DrillWords, fired_alone, is_rescue
from keeper.engine.engine import Engine
from keeper.engine.perp.assess import judge_perp
from keeper.engine.perp.notices import price_text
from keeper.engine.perp.plan import perp_terms
from keeper.engine.perp.preflight import PerpPrepared, try_plan
from keeper.engine.perp.prepare import TRIALS
from keeper.engine.taken import taken_by
from keeper.execution.rehearsal import Overridden, Refused, Simulator
from keeper.venues.ports import Codes

FARTHEST = Bps(9_990)
"""How far an index price is followed until a rule fires: to a thousandth of what it is."""


@dataclass(frozen=True, slots=True)
class WhereFired:
    """A position where one rule fires, in words, and the codes that make its venue's oracle say so."""

    then: PerpPosition
    where: str
    codes: Codes = field(default_factory=dict)


def perp_rehearsals(engine: Engine, snapshot: Snapshot, p: PerpPosition | Unreadable) -> tuple[Rehearsal, ...]:
    """Return the drill of each rule of a perpetual position that acts to protect it."""
    rules = [r for r in engine.perps.rules if r.position == p.name and is_rescue(r)]
    return tuple(partial(_drilled, engine, snapshot, p, rule) for rule in rules)


async def _drilled(engine: Engine, snapshot: Snapshot, p: PerpPosition | Unreadable, rule: PerpRule) -> Drilled:
    words = DrillWords(p.name, rule.name, engine.reader.positions[p.name].signer is not None)
    assessed = await judge_perp(engine, snapshot, p)
    if isinstance(assessed, Unjudged) or isinstance(p, Unreadable):
        return words.unjudged(assessed) if isinstance(assessed, Unjudged) else words.nothing("it could not be read")
    if not p.held:
        return words.nothing("the position has no size")
    if (blind := words.blind(assessed)) is not None:
        return blind
    is_fired = any(v.fired and v.rule.name == rule.name for v in assessed.verdicts)
    scene = WhereFired(p, TODAY) if is_fired else scene_of(engine, p, rule)
    there = fired_alone(replace(assessed, position=scene.then), rule)
    decided = decide(PERP, there, Memory(), engine.terms.safety, engine.reader.positions[p.name].spender)
    if not decided.intents:
        return words.held(decided.holds[0], scene.where)
    return await _rehearsed(engine, replace(snapshot, otherwise={}), decided.intents[0], scene, words)


def scene_of(engine: Engine, p: PerpPosition, rule: PerpRule) -> WhereFired:
    """Return a position at the nearest price that makes a rule fire, by the venue's oracle where that can be moved."""
    account = engine.reader.perp_account(p.name)
    by_index = PERPS.scenarios(p, rule) if account.priced_at(p, p) is not None else ()
    found = [(factor, s) for s in by_index if (factor := fires_at(PERPS, p, rule, s, FARTHEST))]
    if found:
        factor, scenario = max(found, key=lambda pair: pair[0])
        then = PERPS.at_prices(p, scenario.prices(PERPS.prices(p), factor))
        where = ", ".join(_named(p, then, p.leg(market)) for market in scenario.moved)
        return WhereFired(then, where, account.priced_at(then, p) or {})
    moved = where_fires(p, rule)
    return WhereFired(p, TODAY) if moved is None else WhereFired(moved[0], _named(p, *moved))


async def _rehearsed(
    engine: Engine, snapshot: Snapshot, intent: PerpIntent, scene: WhereFired, words: DrillWords
) -> Drilled:
    terms = await perp_terms(engine, snapshot, intent.perp, quotes_wanted(intent))
    if scene.codes:  # the mark follows the oracle, and the market has not moved
        stayed = {market: quote_at(quote, scene.then.leg(market)) for market, quote in terms.quotes.items()}
        terms = replace(terms, quotes=stayed)
    found, where = perp_plans(intent, terms), scene.where
    if isinstance(found, Hold):
        return words.held(found, where)
    refused = list[Refused]()
    for plan in found[:TRIALS]:
        result = await _tried(engine, snapshot, plan, scene)
        if isinstance(result, PerpPrepared):
            value = sum(call.value for call in result.calls)
            gas = Wei(sum(result.gas_used) * snapshot.block.base_fee + value)
            short = ("no way reaches its target", "raise the limits or fund the wallet") if plan.is_partial else None
            takes = taken_by(snapshot.wallets.get(engine.reader.positions[words.position].spender), plan)
            return words.worked(plan.label, gas, where, short, takes)
        refused.append(result)
    return words.refused([plan.label for plan in found], refused, where)


async def _tried(engine: Engine, snapshot: Snapshot, plan: PerpPlan, scene: WhereFired) -> PerpPrepared | Refused:
    """Return a plan run at the scene's price; as the venue is now where its oracle is not to be moved."""
    alone: Simulator = engine.rehearser.alone
    if not scene.codes:
        return await try_plan(engine, snapshot, plan, alone)
    there = replace(snapshot, positions=(scene.then,))
    result = await try_plan(engine, there, plan, Overridden(alone, scene.codes))
    if isinstance(result, PerpPrepared) and PERPS.prices(result.after) != PERPS.prices(scene.then):
        return await try_plan(engine, snapshot, plan, alone)  # it keeps what it cached in the same second
    return result


def _named(before: PerpPosition, then: PerpPosition, leg: PerpLeg) -> str:
    was, now = before.leg(leg.market), then.leg(leg.market)
    change = percent(abs(now.mark_price - was.mark_price) * WAD // was.mark_price)
    sign = "−" if now.mark_price < was.mark_price else "+"
    return f"{was.symbol} at {price_text(then, now, now.mark_price)} ({sign}{change})"
