"""What the rules would do if prices, rates, pools or gas were other than they are: the same judge, the same planner.

Pools are asked as they are now, and follow the oracle to the other prices; a thinner pool costs as much more over the
oracle's price. Nothing is rehearsed, for no node has that state, and nothing is sent or written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core.armed.perp_prices import followed
from keeper.core.decide import Hold, asked_for, decide
from keeper.core.held_back import Memory
from keeper.core.lending.kind import LENDING
from keeper.core.lending.plan import Plan
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.lending.quotes import Quote, Quotes
from keeper.core.perp import margin as perps
from keeper.core.perp.candidates import perp_plans, quotes_wanted
from keeper.core.perp.kind import PERP
from keeper.core.perp.moves import TradeQuote
from keeper.core.perp.plan import PerpPlan, PerpTerms
from keeper.core.perp.position import PerpPosition
from keeper.core.risk.met import Met, delta_of_loan, delta_of_perp, met
from keeper.core.risk.perp_shocks import PerpShocked
from keeper.core.risk.shock_terms import Shock
from keeper.core.risk.shocks import Shocked
from keeper.core.rules import assess
from keeper.core.snapshot import Snapshot
from keeper.core.units import WAD, Address, Amount, Usd, Wad, Wei, mul_div_down, mul_div_up
from keeper.engine.engine import Engine
from keeper.engine.lending.assess import judge
from keeper.engine.lending.plan import find_plans
from keeper.engine.perp.assess import looking_ahead, perp_doubts
from keeper.engine.perp.plan import perp_terms
from keeper.engine.taken import left_by


@dataclass(frozen=True, slots=True)
class WouldDo:
    """The plan that a rule would have after a shock: what it costs, and what it leaves."""

    rule: str
    plan: str
    cost: Usd
    health: Wad
    """The health factor of a loan, the margin ratio of a perpetual."""
    is_partial: bool
    is_safe: bool
    """Whether nothing may liquidate it then."""
    delta: Mapping[str, int]
    """By symbol what the owner is exposed to afterwards, dollars: gamma is how that differs from doing nothing."""
    made: Plan | PerpPlan


async def what_if(engine: Engine, snapshot: Snapshot, shock: Met) -> WouldDo | Hold:
    """Return what would be done about a position after a shock, by the means there are. Raises NodeError."""
    if isinstance(shock, Shocked):
        return await _of_loan(engine, snapshot, shock)
    return await _of_perp(engine, snapshot, shock)


async def _of_loan(engine: Engine, snapshot: Snapshot, shock: Shocked) -> WouldDo | Hold:
    then, seen = shock.then, _seen(snapshot, shock.then, shock.of)
    signer, holds = engine.reader.positions[then.name].spender, tuple[Hold, ...]()
    decided = decide(LENDING, judge(engine, seen, then), Memory(), engine.terms.safety, signer)
    for intent in decided.intents:
        found = await find_plans(
            engine, seen, intent, signer, at=lambda asked: repriced(asked, shock.before, then, shock.of.thinner)
        )
        if not isinstance(found, Hold):
            best = found[0]
            health = best.projected.health_factor
            rule, cost = intent.rule.name, best.cost.total
            delta = delta_of_loan(best.leaves.holdings) if best.leaves is not None else {}
            return WouldDo(rule, best.label, cost, health, best.is_partial, health >= WAD, delta, best)
        holds = (*holds, found)
    return asked_for((*decided.holds, *holds))


async def _of_perp(engine: Engine, snapshot: Snapshot, shock: PerpShocked) -> WouldDo | Hold:
    then, seen = shock.then, _seen(snapshot, shock.then, shock.of)
    signer, holds = engine.reader.positions[then.name].spender, tuple[Hold, ...]()
    doubts, trail = perp_doubts(engine, seen, then), engine.perps.trails.get(then.name)
    assessed = assess(PERP, looking_ahead(engine, then), engine.perps.rules, doubts, trail=trail)
    decided = decide(PERP, assessed, Memory(), engine.terms.safety, signer)
    for intent in decided.intents:
        terms = await perp_terms(engine, seen, shock.before, quotes_wanted(intent))
        found = perp_plans(intent, shocked_terms(terms, shock))
        if not isinstance(found, Hold):
            best = found[0]
            ratio, is_safe = perps.margin_ratio(best.projected), not perps.is_liquidatable(best.projected)
            rule, cost, delta = intent.rule.name, best.cost.total, delta_of_perp(best.projected)
            return WouldDo(rule, best.label, cost, ratio, best.is_partial, is_safe, delta, best)
        holds = (*holds, found)
    return asked_for((*decided.holds, *holds))


async def all_what_if(
    engine: Engine, snapshot: Snapshot, of: Sequence[LendingPosition | PerpPosition], shock: Shock
) -> Mapping[str, WouldDo | Hold]:
    """Return what would be done about each after one shock that meets all, out of the same wallets.

    Who is nearest to liquidation then comes first, and what it spends is gone for the rest. Raises NodeError.
    """
    wallets, found = dict(snapshot.wallets), dict[str, WouldDo | Hold]()
    for x in sorted((met(p, shock) for p in of), key=_nearness):
        found[x.then.name] = done = await what_if(engine, replace(snapshot, wallets=wallets), x)
        signer = engine.reader.positions[x.then.name].spender
        if isinstance(done, WouldDo):
            wallets[signer] = left_by(wallets[signer], done.made)
    return found


def _nearness(x: Met) -> int:
    """Return how far from liquidation one is, in Wad: below one it has begun."""
    if isinstance(x, Shocked):
        return int(x.then.reported.health_factor)
    return mul_div_down(max(0, perps.equity(x.then)), WAD, max(1, perps.requirement(x.then)))


def _seen(snapshot: Snapshot, then: LendingPosition | PerpPosition, shock: Shock) -> Snapshot:
    block = replace(snapshot.block, base_fee=Wei(snapshot.block.base_fee * shock.gas))
    return replace(snapshot, block=block, positions=(then,), seconds={}, otherwise={})


def shocked_terms(terms: PerpTerms, shock: PerpShocked) -> PerpTerms:
    """Return what a plan is weighed with after a shock: the market followed its index, and is so much thinner."""
    return replace(terms, quotes={m: _followed(q, m, shock) for m, q in terms.quotes.items()})


def _followed(quote: TradeQuote, market: Address, shock: PerpShocked) -> TradeQuote:
    found = followed(quote, shock.before.leg(market), shock.then.leg(market))
    worse = max(0, found.impact) * (shock.of.thinner - 1)
    sign = -1 if found.size_change < 0 else 1
    notional = max(0, found.notional + sign * worse)
    price = mul_div_down(found.price, notional, found.notional) if found.notional else found.price
    return replace(found, impact=found.impact + worse, notional=notional, price=price)


def repriced(asked: Quotes, before: LendingPosition, then: LendingPosition, thinner: int) -> Quotes:
    """Return what pools would charge at other prices, and if they were so many times thinner; never less."""
    old, new = ({h.asset: h for h in p.holdings} for p in (before, then))
    return Quotes(tuple(_repriced(q, old, new, thinner) for q in asked.answers))


def _repriced(q: Quote, old: dict[Address, Holding], new: dict[Address, Holding], thinner: int) -> Quote:
    sell, buy = q.route.tokens[0], q.route.tokens[-1]
    if sell not in old or buy not in old:
        return q
    fair = mul_div_down(q.bought * old[buy].price.answer, old[sell].unit, old[buy].unit * old[sell].price.answer)
    sold = q.sold + max(0, q.sold - fair) * (thinner - 1)
    moved = mul_div_up(
        sold * new[buy].price.answer, old[sell].price.answer, old[buy].price.answer * new[sell].price.answer
    )
    return replace(q, sold=Amount(moved))
