"""From a book out of its band to a plan: which perpetual, how much, at what cost. Cheapest sufficient first. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core.book.rules import BookIntent, may_add_margin
from keeper.core.book.trades import HedgeTrade
from keeper.core.decide import Hold
from keeper.core.lending.proposals import Cost, Rejected
from keeper.core.perp import margin as perps
from keeper.core.perp.metrics import FUNDING, leg_of
from keeper.core.perp.moves import AddMargin, AllowMargin, Trade
from keeper.core.perp.plan import PerpPlan, PerpPromise, PerpStep, PerpTerms
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.pricing import (
    base_usd,
    cost_share,
    dearest,
    gas_cost,
    price_base,
    value_of,
    with_margin,
    worst_price,
)
from keeper.core.perp.rules import PerpRule
from keeper.core.reasons import Reason
from keeper.core.rules import as_now
from keeper.core.units import (
    BPS,
    UINT256_MAX,
    USD,
    WAD,
    Amount,
    Usd,
    Wad,
    decimal_of,
    largest,
    mul_div_down,
    mul_div_up,
    ratio_text,
    usd_text,
)

YEAR_S = 365 * 86_400
SIZE_TOLERANCE = 10
"""Basis points by which a trade may miss its size: what a venue rounds."""


@dataclass(frozen=True, slots=True)
class _Sized:
    """A trade cut to what the hedge's margin carries, and the margin that goes in before it."""

    change: int
    """Signed, in size units."""
    margin: int
    """Collateral units to add first."""
    after: PerpPosition


def hedge_plans(
    intent: BookIntent,
    found: Sequence[HedgeTrade | Rejected],
    terms: Mapping[str, PerpTerms],
    rules: Sequence[PerpRule] = (),
) -> tuple[PerpPlan, ...] | Hold:
    """Return the plans worth rehearsing, cheapest first, or why there is none. ``terms`` by the hedge's name.

    A trade that one of the hedge's own ``rules`` would undo at once is none: the two would pay to and fro.
    """
    ways = [x if isinstance(x, Rejected) else _plan(x, terms[x.perp.name], rules) for x in found]
    plans = [p for p in ways if isinstance(p, PerpPlan)]
    rejected = tuple(p for p in ways if isinstance(p, Rejected))
    if not plans:
        return none_of(intent, rejected)
    ranked = sorted(plans, key=lambda p: (p.is_partial, p.cost.total))
    return tuple(replace(p, rejected=(*(_dearer(o) for o in ranked if o is not p), *rejected)) for p in ranked)


def none_of(intent: BookIntent, rejected: Sequence[Rejected]) -> Hold:
    """Return why no hedge can be traded."""
    if not rejected:
        return intent.hold(Reason.POSITION_UNREADABLE, "no hedge can be read")
    reasons = {r.reason for r in rejected}
    detail = "; ".join(f"{r.label}: {r.reason.short}{f' ({r.detail})' if r.detail else ''}" for r in rejected)
    return intent.hold(reasons.pop() if len(reasons) == 1 else Reason.NOTHING_HELPS, detail)


def funding_cost(position: PerpPosition, market: str, size_change: int, horizon_s: int) -> int:
    """Return the dollars of funding a change is expected to cost over a horizon at the present rate.

    Less than zero earns. A reduction is spared what the closed part would have paid.
    """
    leg = position.leg(market)
    dollars = mul_div_down(abs(size_change), leg.mark_price, leg.price_scale)
    if leg.size:
        rate = leg.funding_rate if (size_change > 0) == leg.is_long else -leg.funding_rate
    else:
        rate = leg.funding_rate if size_change > 0 else -leg.funding_rate
    return dollars * rate * horizon_s // (WAD * YEAR_S)


def undone_by(rules: Sequence[PerpRule], before: PerpPosition, after: PerpPosition) -> PerpRule | None:
    """Return the first rule that would trade a grown position smaller again at these prices and rates."""
    for rule in rules:
        leg = leg_of(after, rule.trigger.of)
        if rule.position != after.name or not any(a.trades for a in rule.actions):
            continue
        value = rule.trigger.metric.now(after, rule.trigger.of)
        if rule.trigger.metric is FUNDING and leg is not None:
            is_told_as_long = not before.leg(leg.market).size
            value = -leg.funding_rate if is_told_as_long and not leg.is_long else leg.funding_rate
        if value is not None and as_now(rule, after)[0].trigger.fires_at(value, after):
            return rule
    return None


def _plan(trade: HedgeTrade, terms: PerpTerms, rules: Sequence[PerpRule]) -> PerpPlan | Rejected:
    leg, position, intent = trade.leg, trade.perp, trade.intent
    wanted = trade.first
    label = f"{'buy' if wanted > 0 else 'sell'} {leg.symbol} on {position.name}"
    quote = terms.quotes.get(leg.market)
    if quote is None or quote.notional <= 0 or not wanted:
        return Rejected(label, Reason.POOL_TOO_THIN, "the venue quotes nothing")
    if not _is_fair(trade, quote.notional, abs(quote.size_change)):
        price, index = (usd_text(price_base(position, leg, of)) for of in (quote.price, leg.index_price))
        detail = f"price {price} against the index {index}"
        return Rejected(label, Reason.POOL_TOO_THIN, detail)
    sized = _sized(trade, terms, wanted)
    is_less = sized is not None and abs(sized.change) * WAD < intent.target.within * leg.size_unit
    if sized is None or (is_less and sized.change != -leg.size):  # dust on the wrong side is closed, however little
        return Rejected(
            label,
            Reason.FLOOR_TOO_NEAR,
            f"the hedge's margin ratio may not fall below {ratio_text(intent.rule.limits.least_margin_ratio)}",
        )
    against = undone_by(rules, position, sized.after) if not leg.size or leg.is_long == (sized.change > 0) else None
    if against is not None:
        return Rejected(label, Reason.TARGET_BEYOND_TRIGGER, f"rule {against.name} would undo it")
    steps = _steps(trade, terms, sized)
    cost = _cost(trade, terms, sized, steps)
    is_partial = sized.change != trade.size_change
    amount = decimal_of(abs(sized.change) * WAD // leg.size_unit, 18, 4)
    return PerpPlan(
        intent=intent,
        label=f"{'buy' if sized.change > 0 else 'sell'} {amount} {leg.symbol} on {position.name}",
        steps=steps,
        cost=cost,
        before=position,
        projected=sized.after,
        postcondition=_promise(trade, sized),
        is_partial=is_partial,
    )


def _is_fair(trade: HedgeTrade, dollars: int, size: int) -> bool:
    """Return whether a quote lies within the slippage allowed of the index price, on the side that costs."""
    leg, slippage = trade.leg, trade.intent.rule.limits.max_slippage
    fair = mul_div_down(size, leg.index_price, leg.price_scale)
    if trade.change > 0:
        return dollars * BPS <= fair * (BPS + slippage)
    return dollars * BPS >= fair * (BPS - slippage)


def _sized(trade: HedgeTrade, terms: PerpTerms, wanted: int) -> _Sized | None:
    """Return the trade as large as the hedge's margin carries, with margin from the wallet where that is allowed."""
    position, leg, rule = trade.perp, trade.leg, trade.intent.rule
    share = cost_share(terms.quotes[leg.market])
    if leg.size and (leg.size > 0) != (wanted > 0):
        return _Sized(wanted, 0, perps.reduced(position, leg.market, abs(wanted), share))
    sign = 1 if wanted > 0 else -1

    def margin_for(size: int) -> int:
        grown = perps.increased(position, leg.market, sign * size, share)
        dollars = perps.margin_to_reach(grown, rule.limits.least_margin_ratio) * (BPS + SIZE_TOLERANCE)
        return mul_div_up(dollars, 10**position.collateral_decimals, BPS * position.collateral_price)

    def carries(size: int) -> bool:
        margin = margin_for(size)
        return not margin or (may_add_margin(rule) and _affords(trade, terms, margin, size))

    size = largest(1, abs(wanted), carries)
    if size is None:
        return None
    margin = margin_for(size)
    richer = with_margin(position, margin) if margin else position
    return _Sized(sign * size, margin, perps.increased(richer, leg.market, sign * size, share))


def _affords(trade: HedgeTrade, terms: PerpTerms, margin: int, size: int) -> bool:
    """Return whether the wallet holds so much margin, and the limits let it go beside the trade."""
    position, leg, intent = trade.perp, trade.leg, trade.intent
    once = intent.rule.limits.max_spend_per_tx
    if margin > terms.wallet.tokens.get(position.collateral, 0):
        return False
    paid, traded = value_of(position, margin), base_usd(position, mul_div_up(size, dearest(leg), leg.price_scale))
    at_once = max(paid, traded) if position.is_cross else paid + traded
    if once is not None and at_once > once:
        return False
    return intent.left_today is None or paid + traded <= intent.left_today


def _steps(trade: HedgeTrade, terms: PerpTerms, sized: _Sized) -> tuple[PerpStep, ...]:
    position, leg = trade.perp, trade.leg
    is_long = leg.is_long if leg.size else sized.change > 0
    steps = []
    rides = not position.is_cross  # a position with margin of its own has no account to be filled beforehand
    if sized.margin:
        spend = Usd(value_of(position, sized.margin))
        if terms.allowance < sized.margin:
            if terms.allowance:
                steps.append(PerpStep(AllowMargin(position.collateral, Amount(0)), Usd(0)))
            steps.append(PerpStep(AllowMargin(position.collateral, Amount(sized.margin)), Usd(0)))
        if not rides:
            steps.append(PerpStep(AddMargin(leg.market, is_long, position.collateral, Amount(sized.margin)), spend))
    if leg.size and (leg.size > 0) != (sized.change > 0):
        part = mul_div_up(leg.entry_notional, abs(sized.change), abs(leg.size))
    else:
        part = sized.after.leg(leg.market).entry_notional - leg.entry_notional
    now = None if position.fills_later else terms.quotes[leg.market].price
    worst = worst_price(leg, sized.change, trade.intent.rule.limits.max_slippage, now)
    is_close = leg.size != 0 and sized.change == -leg.size
    margin = sized.margin if rides else 0
    move = Trade(leg.market, is_long, sized.change, part, worst, is_close=is_close, margin=margin)
    dollars = base_usd(position, mul_div_up(abs(sized.change), dearest(leg), leg.price_scale))
    return (*steps, PerpStep(move, Usd(dollars + value_of(position, margin))))


def _cost(trade: HedgeTrade, terms: PerpTerms, sized: _Sized, steps: tuple[PerpStep, ...]) -> Cost:
    """Return gas, fee and impact, and the funding expected while the hedge is held."""
    position, leg = trade.perp, trade.leg
    dollars = mul_div_up(abs(sized.change), leg.mark_price, leg.price_scale)
    trading = cost_share(terms.quotes[leg.market]).of(dollars)
    funding = funding_cost(position, leg.market, sized.change, trade.intent.rule.horizon_s)
    tied = mul_div_up(value_of(position, sized.margin), terms.safety.capital_cost, BPS) if sized.margin else 0
    return Cost(
        gas_cost(steps, terms),
        Usd(base_usd(position, trading) + funding * USD // position.usd_unit),
        Usd(tied),
    )


def _promise(trade: HedgeTrade, sized: _Sized) -> PerpPromise:
    leg, limits = sized.after.leg(trade.leg.market), trade.intent.rule.limits
    tolerance = SIZE_TOLERANCE + (limits.max_slippage if trade.perp.fills_later else 0)
    slack = max(1, abs(sized.change) * tolerance // BPS)
    grows = abs(leg.size) > abs(trade.leg.size)
    least = limits.least_margin_ratio * (BPS - tolerance) // BPS if grows else 0
    size = abs(leg.size)
    text = f"{trade.intent.target}, hedge of {decimal_of(leg.size * WAD // leg.size_unit, 18, 4)} {leg.symbol}"
    most = size + slack if size else 0
    side = leg.is_long if size else None
    return PerpPromise(text, Wad(least), leg.market, max(0, size - slack), min(most, UINT256_MAX), side)


def _dearer(plan: PerpPlan) -> Rejected:
    reason = Reason.INSUFFICIENT if plan.is_partial else Reason.DEARER
    return Rejected(plan.label, reason, str(plan.postcondition), plan.cost)
