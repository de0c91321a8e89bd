"""From an intent on a perpetual position to plans: margin or less size; cheapest sufficient first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from keeper.core.actions import Action
from keeper.core.decide import Hold
from keeper.core.lending.proposals import AIM, Cost, Rejected
from keeper.core.perp import margin as perps
from keeper.core.perp.metrics import PerpTarget, leg_of, ratio_at
from keeper.core.perp.moves import AddMargin, AllowMargin, Trade
from keeper.core.perp.plan import PerpPlan, PerpPromise, PerpStep, PerpTerms
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.pricing import base_usd, cost_share, dearest, gas_cost, side, value_of, with_margin, worst_price
from keeper.core.perp.risk_metrics import unknown_ratio
from keeper.core.perp.rules import PerpIntent
from keeper.core.reasons import Reason
from keeper.core.units import (
    BPS,
    UINT256_MAX,
    USD,
    WAD,
    Address,
    Amount,
    Usd,
    Wad,
    decimal_of,
    mul_div_down,
    mul_div_up,
    ratio_text,
    usd_text,
)

ROUNDING = 10**6
"""A venue may leave this part of a size more than asked: it counts in dollars, or rounds tokens."""
PARTIAL_TOLERANCE = 10
"""Basis points by which a partial plan may miss what it projects."""


@dataclass(frozen=True, slots=True)
class _Way:
    label: str
    steps: tuple[PerpStep, ...]
    cost: Cost
    after: PerpPosition
    is_sufficient: bool


def perp_plans(intent: PerpIntent, terms: PerpTerms) -> tuple[PerpPlan, ...] | Hold:
    """Return the plans worth rehearsing, best first, or why there are none.

    First the sufficient ones by cost; where none is, margin first and then less size for the rest, then single ways by
    how much they help.
    """
    found = list(_ways(intent, terms))
    ways = [w for w in found if isinstance(w, _Way) and w.steps]
    rejected = [w for w in found if isinstance(w, Rejected)]
    rejected += [Rejected(a.key, Reason.DOUBTFUL_PRICE, doubt.detail) for a, doubt in intent.forbidden]
    sufficient = sorted((w for w in ways if w.is_sufficient), key=lambda w: w.cost.total)
    partial = sorted((w for w in ways if not w.is_sufficient), key=lambda w: _ratio(w.after), reverse=True)
    if not sufficient and len(partial) > 1:
        combined = _combined(intent, terms, partial)
        partial = [combined, *partial] if combined else partial
    ranked = [*sufficient, *partial]
    if not ranked:
        reasons = {r.reason for r in rejected}
        detail = "; ".join(f"{r.label}: {r.reason.short}{f' ({r.detail})' if r.detail else ''}" for r in rejected)
        return intent.hold(reasons.pop() if len(reasons) == 1 else Reason.NOTHING_HELPS, detail)
    return tuple(_as_plan(w, intent, (*_others(ranked, w), *rejected)) for w in ranked)


def quotes_wanted(intent: PerpIntent) -> dict[Address, int]:
    """Return what to ask the venue for: market → the whole leg's closing, as a signed size change."""
    if not any(action.trades for action in intent.actions):
        return {}
    return {leg.market: -leg.size for leg in _legs(intent)}


def _ways(intent: PerpIntent, terms: PerpTerms) -> Iterator[_Way | Rejected]:
    for action in intent.actions:
        yield from ACTIONS[action.key].propose(intent, terms)


def _legs(intent: PerpIntent) -> list[PerpLeg]:
    """Return the legs an intent may trade: the one its trigger names, else the largest first."""
    named = leg_of(intent.perp, intent.rule.trigger.of)
    if named is not None:
        return [named]
    return sorted(intent.perp.held, key=perps.notional, reverse=True)


# --- margin ----------------------------------------------------------------------------------------------------------


def _margin(intent: PerpIntent, terms: PerpTerms, position: PerpPosition) -> _Way | Rejected:
    """Return the way that adds collateral from the wallet."""
    label = f"add {position.collateral_symbol} margin"
    target = intent.target
    aim, doubt = _aim(target, position), unknown_ratio(target)
    if aim is None and doubt is not None:
        return Rejected(label, doubt.reason, doubt.detail)
    if aim is None:
        return Rejected(label, Reason.NOTHING_HELPS, "margin closes nothing")
    held = terms.wallet.tokens.get(position.collateral, 0)
    if not held:
        return Rejected(label, Reason.WALLET_EMPTY, f"no {position.collateral_symbol}")
    dollars = perps.margin_to_reach(position, aim)
    wanted = mul_div_up(dollars, 10**position.collateral_decimals, position.collateral_price)
    amount = min(wanted, held, _within(_dollars_left(intent), position))
    spend = Usd(value_of(position, amount))
    if amount <= 0 or (amount < wanted and spend < USD):
        return Rejected(label, Reason.SPEND_LIMIT, f"{usd_text(spend)} left")
    after = with_margin(position, amount)
    market, is_long = _account(position)
    steps = [PerpStep(AddMargin(market, is_long, position.collateral, Amount(amount)), spend)]
    if terms.allowance < amount:
        allow = [PerpStep(AllowMargin(position.collateral, Amount(amount)), Usd(0))]
        if terms.allowance:  # some tokens refuse to change an allowance that is not zero
            allow.insert(0, PerpStep(AllowMargin(position.collateral, Amount(0)), Usd(0)))
        steps = [*allow, *steps]
    capital = Usd(mul_div_up(spend, terms.safety.capital_cost, BPS))
    cost = Cost(gas_cost(steps, terms), Usd(0), capital)
    text = f"{label} {decimal_of(amount, position.collateral_decimals)}"
    return _Way(text, tuple(steps), cost, after, target.is_met(after))


def _within(dollars: int, position: PerpPosition) -> int:
    """Return how much collateral ``dollars`` (base units) are, rounded down; unlimited stays unlimited."""
    if dollars >= UINT256_MAX:
        return UINT256_MAX
    return mul_div_down(dollars * position.usd_unit, 10**position.collateral_decimals, position.collateral_price * USD)


def _account(position: PerpPosition) -> tuple[Address, bool]:
    """Return the market and side that margin goes to; they matter where margin is isolated."""
    leg = position.legs[0]
    return leg.market, leg.is_long


# --- size ------------------------------------------------------------------------------------------------------------


def _less(
    intent: PerpIntent, terms: PerpTerms, position: PerpPosition, leg: PerpLeg, *, whole: bool
) -> _Way | Rejected:
    """Return the way that closes part of a leg, or all of it."""
    target = intent.target
    label = f"{'close' if whole else 'reduce'} {side(leg)} {leg.symbol}"
    quote = terms.quotes.get(leg.market)
    if quote is None or quote.notional <= 0:
        return Rejected(label, Reason.POOL_TOO_THIN, "the venue quotes nothing")
    cost = cost_share(quote)
    slippage = intent.rule.limits.max_slippage
    if whole and max(0, quote.impact) * BPS > quote.notional * slippage:
        return Rejected(label, Reason.POOL_TOO_THIN, f"impact of {usd_text(base_usd(position, quote.impact))}")
    wanted: int | None = abs(leg.size)
    aim, doubt = _aim(target, position), unknown_ratio(target)
    if not whole and aim is None and doubt is not None:
        return Rejected(label, doubt.reason, doubt.detail)
    if not whole and aim is not None:
        wanted = perps.size_to_reach(position, leg.market, aim, cost)
    room = _size_within(_dollars_left(intent), position, leg)
    size = min(abs(leg.size) if wanted is None else wanted, room)
    if size <= 0:
        return Rejected(label, Reason.SPEND_LIMIT, "nothing left of the limit")
    after = perps.reduced(position, leg.market, size, cost)
    part = mul_div_up(leg.entry_notional, size, abs(leg.size))
    change = -size if leg.is_long else size
    closes = size == abs(leg.size)
    now = None if position.fills_later else quote.price
    trade = Trade(leg.market, leg.is_long, change, part, worst_price(leg, change, slippage, now), is_close=closes)
    spend = base_usd(position, mul_div_up(size, dearest(leg), leg.price_scale))
    steps = (PerpStep(trade, Usd(spend)),)
    dollars = perps.notional(leg) - perps.notional(after.leg(leg.market))
    total = Cost(gas_cost(steps, terms), Usd(base_usd(position, cost.of(dollars))), Usd(0))
    text = label if closes else f"{label} by {decimal_of(size * WAD // leg.size_unit, 18, 4)}"
    return _Way(text, steps, total, after, target.is_met(after))


def _size_within(dollars: int, position: PerpPosition, leg: PerpLeg) -> int:
    """Return the size that ``dollars`` (base units) may trade, rounded down."""
    if dollars >= UINT256_MAX:
        return UINT256_MAX
    return mul_div_down(dollars * position.usd_unit, leg.price_scale, dearest(leg) * USD)


# --- together --------------------------------------------------------------------------------------------------------


def _combined(intent: PerpIntent, terms: PerpTerms, partial: list[_Way]) -> _Way | None:
    """Return margin from the wallet, then less size for what is still missing; None where that is no way."""
    first = next((w for w in partial if any(isinstance(s.move, AddMargin) for s in w.steps)), None)
    action = next((a for a in intent.actions if a.trades), None)
    if first is None or action is None or intent.target.is_close:
        return None
    moved = sum(step.spend for step in first.steps)
    left = None if intent.left_today is None else Usd(max(0, intent.left_today - moved))
    rest = replace(intent, left_today=left)
    leg = first.after.leg(_legs(intent)[0].market)
    then = _less(rest, terms, first.after, leg, whole=False)
    if isinstance(then, Rejected):
        return None
    cost = Cost(
        Usd(first.cost.gas + then.cost.gas),
        Usd(first.cost.trading + then.cost.trading),
        Usd(first.cost.capital + then.cost.capital),
    )
    return _Way(f"{first.label}, then {then.label}", first.steps + then.steps, cost, then.after, then.is_sufficient)


def _aim(target: PerpTarget, position: PerpPosition) -> Wad | None:
    """Return the ratio a plan is solved for: a hair beyond the target, for what accrues until it is mined.

    None for a target that is not about margin.
    """
    ratio = ratio_at(target, position)
    return None if ratio is None else Wad(mul_div_up(ratio, BPS + AIM, BPS))


def _dollars_left(intent: PerpIntent) -> int:
    once = intent.rule.limits.max_spend_per_tx
    today = UINT256_MAX if intent.left_today is None else intent.left_today
    return min(today, UINT256_MAX if once is None else once)


def _ratio(position: PerpPosition) -> Wad:
    return perps.margin_ratio(position)


def _as_plan(way: _Way, intent: PerpIntent, rejected: tuple[Rejected, ...]) -> PerpPlan:
    return PerpPlan(
        intent=intent,
        label=way.label,
        steps=way.steps,
        cost=way.cost,
        before=intent.perp,
        projected=way.after,
        postcondition=promise(intent, way.after, way.steps, is_sufficient=way.is_sufficient),
        is_partial=not way.is_sufficient,
        rejected=rejected,
    )


def promise(
    intent: PerpIntent, after: PerpPosition, steps: tuple[PerpStep, ...], *, is_sufficient: bool
) -> PerpPromise:
    """Return what a plan that ends in ``after`` promises: its target, and the size it leaves.

    A venue that fills later does so at another price: it is held to that within the slippage allowed.
    """
    target = intent.target if is_sufficient else None
    tolerance = intent.rule.limits.max_slippage if intent.perp.fills_later else 0
    least = _ratio(after) * (BPS - PARTIAL_TOLERANCE) // BPS if after.held else 0
    if target is not None:
        least = ratio_at(target, intent.perp) or least
    least = least * (BPS - tolerance) // BPS
    text = str(target) if target else f"margin ratio {ratio_text(least)} or more"
    traded = [s.move for s in steps if isinstance(s.move, Trade)]
    if not traded:
        return PerpPromise(text, Wad(least))
    left = abs(after.leg(traded[-1].market).size)
    most = left + max(1, left // ROUNDING) if left else 0
    return PerpPromise(text, Wad(least), traded[-1].market, 0, most, traded[-1].is_long)


def _others(ranked: list[_Way], chosen: _Way) -> tuple[Rejected, ...]:
    return tuple(
        Rejected(
            w.label,
            Reason.DEARER if w.is_sufficient else Reason.INSUFFICIENT,
            f"margin ratio {ratio_text(_ratio(w.after))}",
            w.cost,
        )
        for w in ranked
        if w is not chosen
    )


# --- what a rule may allow -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PerpAction(Action):
    """One way to help a perpetual position."""

    propose: Callable[[PerpIntent, PerpTerms], Iterator[_Way | Rejected]] = field(kw_only=True)
    """Yield every way of this kind, limits minded, or why one cannot be had."""


def _reductions(intent: PerpIntent, terms: PerpTerms) -> Iterator[_Way | Rejected]:
    return (_less(intent, terms, intent.perp, leg, whole=False) for leg in _legs(intent))


def _closings(intent: PerpIntent, terms: PerpTerms) -> Iterator[_Way | Rejected]:
    return (_less(intent, terms, intent.perp, leg, whole=True) for leg in _legs(intent))


ADD_MARGIN = PerpAction(
    "add_margin",
    "Adds collateral from the signer's wallet, approved exactly. A guardian may, where the venue takes gifts.",
    trades=False,
    by_anybody=True,
    closes=False,
    propose=lambda intent, terms: iter((_margin(intent, terms, intent.perp),)),
)
REDUCE = PerpAction("reduce", "Trades part of the size away, as much as it takes.", trades=True, propose=_reductions)
CLOSE = PerpAction("close", "Trades the whole size away.", trades=True, propose=_closings)
ACTIONS: Mapping[str, PerpAction] = {a.key: a for a in (ADD_MARGIN, REDUCE, CLOSE)}
"""By settings key."""
