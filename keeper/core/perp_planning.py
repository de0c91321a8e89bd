"""From an intent on a perpetual position to plans: margin or less size; cheapest sufficient first. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keeper.core import perps
from keeper.core.decisions import Hold, Safety
from keeper.core.hedge_rules import HedgeIntent
from keeper.core.margins import FACTOR, PerpLeg, PerpPosition
from keeper.core.perp_decisions import PerpIntent, is_emergency
from keeper.core.perp_moves import AddMargin, AllowMargin, PerpMove, Trade, TradeQuote
from keeper.core.perp_rules import ExitTarget, MarginTarget, PerpAction, leg_of
from keeper.core.perps import TradeCost
from keeper.core.positions import Wallet
from keeper.core.proposals import AIM, Cost, Rejected
from keeper.core.reasons import Reason
from keeper.core.units import (
    BPS,
    UINT256_MAX,
    USD,
    WAD,
    Address,
    Amount,
    Bps,
    Usd,
    Wad,
    Wei,
    decimal_of,
    mul_div_down,
    mul_div_up,
    ratio_text,
    usd_text,
)

PERP_GAS: dict[type, int] = {AllowMargin: 60_000, AddMargin: 350_000, Trade: 900_000}
"""Gas to weigh ways by, from above; the limit comes from the rehearsal."""
OTHER_GAS = 1_000_000
ROUNDING = 10**6
"""A venue may leave this part of a size more than asked: it counts in dollars, or rounds tokens."""
PARTIAL_TOLERANCE = 10
"""Basis points by which a partial plan may miss what it projects."""


@dataclass(frozen=True, slots=True)
class PerpTerms:
    """What a plan is weighed with, besides the intent: the wallet, quotes, what gas and the venue's keepers cost."""

    safety: Safety
    wallet: Wallet
    quotes: dict[Address, TradeQuote]
    """Market → what the trade that is thought of would give now; for a reduction that of the whole leg."""
    allowance: Amount
    fee_per_gas: Wei
    execution_fee: Wei
    """What an order of this venue pays its keepers; zero where trades are done at once."""
    native_price: int
    """Base units (10^-8 dollars) of one whole native token."""


@dataclass(frozen=True, slots=True)
class PerpStep:
    """One move, and the dollars it spends: margin moved or size traded."""

    move: PerpMove
    spend: Usd


@dataclass(frozen=True, slots=True)
class PerpPromise:
    """What must hold after the plan, on the prices it was decided on. Checked in rehearsal and again when mined.

    ``most_size`` bounds a leg's unsigned size; ``least_size`` as well for a hedge, which must neither fall short nor
    overshoot. ``least_ratio`` is the margin ratio. A venue that fills later can only be asked this once it has filled.
    """

    text: str
    least_ratio: Wad
    market: Address | None = None
    least_size: int = 0
    most_size: int = UINT256_MAX

    def is_met(self, position: PerpPosition) -> bool:
        """Tell whether a position keeps the promise."""
        if self.market is not None:
            size = next((leg.size for leg in position.legs if leg.market == self.market), 0)
            if not self.least_size <= abs(size) <= self.most_size:
                return False
        return perps.margin_ratio(position) >= self.least_ratio

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class PerpPlan:
    """What will be done, why this way, and what must be true afterwards."""

    intent: PerpIntent | HedgeIntent
    label: str
    steps: tuple[PerpStep, ...]
    cost: Cost
    before: PerpPosition
    projected: PerpPosition
    postcondition: PerpPromise
    is_partial: bool
    rejected: tuple[Rejected, ...] = ()

    @property
    def spend(self) -> Usd:
        """Dollars the plan moves."""
        return Usd(sum(step.spend for step in self.steps))


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
    rejected += [Rejected(a.value, Reason.DOUBTFUL_PRICE, doubt.detail) for a, doubt in intent.forbidden]
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
    position = intent.perp
    for action in intent.actions:
        match action:
            case PerpAction.ADD_MARGIN:
                yield _margin(intent, terms, position)
            case PerpAction.REDUCE | PerpAction.CLOSE:
                for leg in _legs(intent):
                    yield _less(intent, terms, position, leg, whole=action is PerpAction.CLOSE)
            case _:
                continue


def _legs(intent: PerpIntent) -> list[PerpLeg]:
    """Return the legs an intent may trade: the one its trigger names, else the largest first."""
    named = leg_of(intent.rule.trigger, intent.perp)
    if named is not None:
        return [named]
    return sorted(intent.perp.held, key=perps.notional, reverse=True)


# --- margin ----------------------------------------------------------------------------------------------------------


def _margin(intent: PerpIntent, terms: PerpTerms, position: PerpPosition) -> _Way | Rejected:
    """Return the way that adds collateral from the wallet."""
    label = f"add {position.collateral_symbol} margin"
    target = intent.target
    if isinstance(target, ExitTarget):
        return Rejected(label, Reason.NOTHING_HELPS, "margin closes nothing")
    held = terms.wallet.tokens.get(position.collateral, 0)
    if not held:
        return Rejected(label, Reason.WALLET_EMPTY, f"no {position.collateral_symbol}")
    dollars = perps.margin_to_reach(position, _aim(target))
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


def with_margin(position: PerpPosition, amount: int) -> PerpPosition:
    """Return the position with collateral added (in its own units), valued as the rest is."""
    if position.indexed_margin:
        leg = position.legs[0]
        return replace(
            position,
            indexed_margin=position.indexed_margin
            + mul_div_down(amount, leg.size_unit, 10**position.collateral_decimals),
        )
    added = mul_div_down(amount, position.collateral_price, 10**position.collateral_decimals)
    return replace(position, margin=position.margin + added)


def value_of(position: PerpPosition, amount: int) -> int:
    """Return collateral units in base units (10^-8 dollars), rounded up."""
    return mul_div_up(amount, position.collateral_price * USD, 10**position.collateral_decimals * position.usd_unit)


def base_usd(position: PerpPosition, dollars: int) -> int:
    """Return the venue's dollars in base units (10^-8), rounded up."""
    return mul_div_up(dollars, USD, position.usd_unit)


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
    if not whole and isinstance(target, MarginTarget):
        wanted = perps.size_to_reach(position, leg.market, _aim(target), cost)
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


def cost_share(quote: TradeQuote) -> TradeCost:
    """Return the share of a quoted trade that fee and impact take, from above; a gain from impact is not counted on."""
    return TradeCost(mul_div_up(quote.fee + max(0, quote.impact), FACTOR, quote.notional) if quote.notional else 0)


def worst_price(leg: PerpLeg, size_change: int, slippage: Bps, quoted: int | None = None) -> int:
    """Return the worst price a trade may be done at: the index price, less or more the slippage allowed.

    Where the price ``quoted`` now is better than the index, it counts from that: a market that has run away from the
    index in our favour is no room for others to take.
    """
    if size_change > 0:
        start = leg.index_price if quoted is None else min(leg.index_price, quoted)
        return mul_div_down(start, BPS + slippage, BPS)
    start = leg.index_price if quoted is None else max(leg.index_price, quoted)
    return mul_div_up(start, BPS - slippage, BPS)


def is_better_than_index(leg: PerpLeg, *, buys: bool) -> bool:
    """Tell whether the market stands on the side of the index where a purchase or a sale gains by it."""
    return leg.mark_price <= leg.index_price if buys else leg.mark_price >= leg.index_price


def dearest(leg: PerpLeg) -> int:
    """Return the price that size is counted at against limits: the higher of index and mark."""
    return max(leg.index_price, leg.mark_price, 1)


def side(leg: PerpLeg) -> str:
    """Return ``long`` or ``short``."""
    return "long" if leg.is_long else "short"


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
    if first is None or action is None or isinstance(intent.target, ExitTarget):
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


def _aim(target: MarginTarget) -> Wad:
    """Return the ratio a plan is solved for: a hair beyond the target, for what accrues until it is mined."""
    return Wad(mul_div_up(target.ratio, BPS + AIM, BPS))


def _dollars_left(intent: PerpIntent) -> int:
    once = intent.rule.limits.max_spend_per_tx
    today = UINT256_MAX if intent.left_today is None else intent.left_today
    return min(today, UINT256_MAX if once is None else once)


def gas_cost(steps: tuple[PerpStep, ...] | list[PerpStep], terms: PerpTerms) -> Usd:
    """Return what the steps' gas costs and what the venue's keepers are paid, rounded up."""
    gas = sum(PERP_GAS.get(type(step.move), OTHER_GAS) for step in steps)
    orders = sum(not isinstance(step.move, AllowMargin) for step in steps)
    return Usd(mul_div_up(gas * terms.fee_per_gas + orders * terms.execution_fee, terms.native_price, WAD))


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
    if isinstance(target, MarginTarget):
        least = target.ratio
    least = least * (BPS - tolerance) // BPS
    text = str(target) if target else f"margin ratio {ratio_text(least)} or more"
    traded = [s.move for s in steps if isinstance(s.move, Trade)]
    if not traded:
        return PerpPromise(text, Wad(least))
    left = abs(after.leg(traded[-1].market).size)
    most = left + max(1, left // ROUNDING) if left else 0
    return PerpPromise(text, Wad(least), traded[-1].market, 0, most)


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


def needs_haste(intent: PerpIntent, safety: Safety) -> bool:
    """Tell whether the position is so near liquidation that gas may cost more."""
    return is_emergency(intent.perp, safety)
