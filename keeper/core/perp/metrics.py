"""What rules look at in a perpetual position: one ``Metric`` each. A stop's side is its leg's, mirrored for a short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from keeper.core.ahead import forecast, metrics_ahead
from keeper.core.averages import Sampled, averaged, kept
from keeper.core.metrics import Metric, Subject, Target, Trigger
from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.risk_metrics import ahead_of, ratio_for, volatility_of_margin
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.scales import Beyond, End, Range, Unit, percent, plain, trimmed
from keeper.core.trail import LookBack, Trail
from keeper.core.units import INFINITE, WAD, Address, Wad, mul_div_down, mul_div_up, usd_text

PerpTrigger = Trigger[PerpPosition]
PerpTarget = Target[PerpPosition]
EXITS = ("reduce", "close")
WHY_EXITS = "closes nothing and stops no loss"
EITHER = (End.MAX, End.MIN)
"""A stop may make room when prices move, or close sooner: its owner says which."""
MOST_LEVERAGE = 1000 * WAD
WINDOW_S = 8 * 3600
"""The funding window where none is given."""


def is_named(leg: PerpLeg, market: str) -> bool:
    """True when an owner's name for a market means a leg: its underlying, or the market's address."""
    return market.lower() in (leg.symbol.lower(), leg.market.lower())


def leg_of(position: PerpPosition, of: Subject) -> PerpLeg | None:
    """Return the leg a name means; None when it is not held, or there are several to choose from."""
    if of.symbol:
        return next((leg for leg in position.held if is_named(leg, of.symbol)), None)
    return position.held[0] if len(position.held) == 1 else None


def price_usd(leg: PerpLeg) -> int:
    """Return the index price in 10^-8 dollars of one whole underlying: what stops are judged by."""
    return leg.oracle.answer


def fallen(leg: PerpLeg, best: int | None) -> int | None:
    """Return the share (Wad, rounded up) the price moved against the leg since its best."""
    if best is None or best <= 0:
        return None
    against = best - price_usd(leg) if leg.is_long else price_usd(leg) - best
    return mul_div_up(max(0, against), WAD, best)


def ratio_at(target: PerpTarget, p: PerpPosition | None = None) -> Wad | None:
    """Return the margin ratio a target stands for, rounded up; None for one that is not about margin.

    A target that looks ahead stands for one of a position's own, and for none where prices are not known.
    """
    if target.metric.looks_ahead:
        return None if p is None else ratio_for(p, target)
    if target.metric.key == MARGIN_RATIO.key:
        return Wad(target.value)
    if target.metric.key == LEVERAGE.key and target.value:
        return Wad(mul_div_up(WAD, WAD, target.value))
    return None


def _lost(position: PerpPosition, of: Subject) -> Doubt | None:
    """Return why a name means none of the position's markets; None where the one it means only has no size."""
    if of.symbol and any(is_named(leg, of.symbol) for leg in position.legs):
        return None
    if not of.symbol and len(position.held) <= 1:
        return None
    has = ", ".join(leg.symbol for leg in (position.legs if of.symbol else position.held)) or "no market"
    which = f"market {of.symbol}" if of.symbol else "no market named"
    return Doubt(Reason.RULE_UNDECIDABLE, f"{which}, position has {has}")


def _looked_at(p: PerpPosition, of: Subject, *, needs_price: bool = True) -> PerpLeg | Doubt | None:
    """Return the leg that a metric of one market looks at; None where it has no size."""
    if doubt := _lost(p, of):
        return doubt
    leg = leg_of(p, of)
    if leg is not None and needs_price and price_usd(leg) <= 0:
        return Doubt(Reason.PRICE_NOT_POSITIVE, f"{leg.symbol} answers {usd_text(price_usd(leg))}")
    return leg


def _asset(p: PerpPosition, of: Subject) -> Address | Doubt | None:
    leg = _looked_at(p, of, needs_price=False)
    return leg.oracle.asset if isinstance(leg, PerpLeg) else leg


def _price(p: PerpPosition, _: LookBack, of: Subject) -> int | Doubt | None:
    leg = _looked_at(p, of)
    return price_usd(leg) if isinstance(leg, PerpLeg) else leg


def _trailing(p: PerpPosition, seen: LookBack, of: Subject) -> int | Doubt | None:
    leg = _looked_at(p, of)
    if not isinstance(leg, PerpLeg):
        return leg
    found = fallen(leg, seen.best)
    if found is None:
        return Doubt(Reason.UNMEASURED, "has not seen a price beyond doubt to measure the fall from yet")
    return found


def _funding(p: PerpPosition, of: Subject) -> Sampled | Doubt | None:
    leg = _looked_at(p, of, needs_price=False)
    return Sampled(leg.funding_rate, _of(leg)) if isinstance(leg, PerpLeg) else leg


def _keep_best(trail: Trail, rule: str, p: PerpPosition, of: Subject, is_sure: bool) -> Trail:
    leg = leg_of(p, of)
    if leg is None:
        return trail.without(rule)
    if not is_sure or price_usd(leg) <= 0:
        return trail
    return trail.with_best(rule, price_usd(leg), _of(leg), is_highest=leg.is_long)


def _of(leg: PerpLeg) -> str:
    return f"{leg.market} {'long' if leg.is_long else 'short'}"


def _is_short(p: PerpPosition, of: Subject) -> bool:
    leg = leg_of(p, of)
    return leg is not None and not leg.is_long


def _ratio_at(p: PerpPosition | None, target: PerpTarget) -> int | None:
    return INFINITE if target.is_close else ratio_at(target, p)


def _leverage_at(p: PerpPosition | None, target: PerpTarget) -> int | None:
    if target.metric.key == LEVERAGE.key:
        return target.value
    ratio = ratio_at(target, p)
    if target.is_close:
        return 0
    return None if ratio is None else mul_div_down(WAD, WAD, ratio) if ratio else INFINITE


def _distance_at(p: PerpPosition | None, target: PerpTarget) -> int | None:
    """The distance there is once the target is met; before that nobody knows, and at the best it is far enough."""
    if target.is_close:
        return INFINITE
    if p is None or ratio_at(target, p) is None:
        return None
    return perps.liquidation_distance(p) if target.is_met(p) else INFINITE


def _size_at(_: PerpPosition | None, target: PerpTarget) -> int | None:
    return target.value if target.metric.key == SIZE.key else None


def _size(p: PerpPosition, _: LookBack, of: Subject) -> int:
    return sum(abs(leg.size) for leg in p.held if of.symbol is None or is_named(leg, of.symbol))


def _shown(value: int) -> str:
    return "∞" if abs(value) >= INFINITE else percent(value)


def _shown_leverage(value: int) -> str:
    return "∞" if value >= INFINITE else trimmed(value, 18, 2, 2)


def _odd_ratio(_: Beyond, bound: int) -> str | None:
    if bound >= WAD // 1000:
        return None
    return f'a margin ratio of {plain(bound)} is too late: every venue liquidates before; 8 % is "0.08"'


def _odd_leverage(_: Beyond, bound: int) -> str | None:
    if bound <= WAD:
        return f"a leverage of {plain(bound)} as bound fires always; write one above 1"
    if bound > MOST_LEVERAGE:
        return f"a leverage of {plain(bound)} as bound never fires: every venue liquidates before"
    return None


def _market(trigger: PerpTrigger) -> str:
    return f" of {trigger.of.symbol}" if trigger.of.symbol else ""


def _says_stop(trigger: PerpTrigger, measured: str, bound: str) -> str:
    return f"price{_market(trigger)} {measured} has reached the {trigger.metric.words} at {bound}"


def _says_trailing(trigger: PerpTrigger, measured: str, bound: str) -> str:
    return f"price{_market(trigger)} is {measured} from its best, trailing stop {bound}"


AHEAD = ahead_of(_asset, _is_short, EXITS)
LOOKING_AHEAD = metrics_ahead(AHEAD)
LIQUIDATION_PROBABILITY, VALUE_AT_RISK, EXPECTED_SHORTFALL, VOLATILITY, DRAWDOWN, LOSS_IN_STRESS = LOOKING_AHEAD
MARGIN_RATIO: Metric[PerpPosition] = Metric(
    key="margin_ratio",
    words="margin ratio",
    summary="What the account is worth over its size, rounded down.",
    unit=Unit.SHARE,
    sides=(Beyond.BELOW,),
    measure=lambda p, _, __: perps.margin_ratio(p),
    at_target=_ratio_at,
    risk=Beyond.BELOW,
    valid=Range.SHARE,
    valid_target=Range.POSITIVE,
    odd=_odd_ratio,
    volatility=volatility_of_margin,
    figure=_shown,
)
LEVERAGE: Metric[PerpPosition] = Metric(
    key="leverage",
    words="leverage",
    summary="The size over what the account is worth, rounded up.",
    unit=Unit.RATIO,
    sides=(Beyond.ABOVE,),
    measure=lambda p, _, __: perps.leverage(p),
    at_target=_leverage_at,
    risk=Beyond.ABOVE,
    valid=Range.POSITIVE,
    valid_target=Range.POSITIVE,
    odd=_odd_leverage,
    volatility=volatility_of_margin,
    widens=(End.MIN,),
    figure=_shown_leverage,
)
LIQUIDATION_DISTANCE: Metric[PerpPosition] = Metric(
    key="liquidation_distance",
    words="liquidation distance",
    summary="The least share of its price that any one market may move against the account before liquidation.",
    unit=Unit.SHARE,
    sides=(Beyond.BELOW,),
    measure=lambda p, _, __: perps.liquidation_distance(p),
    at_target=_distance_at,
    valid=Range.SHARE,
    volatility=volatility_of_margin,
    figure=_shown,
)
STOP_LOSS: Metric[PerpPosition] = Metric(
    key="stop_loss",
    words="stop loss",
    summary="The index price, in dollars, at or beyond which the position loses: below for a long, above for a short.",
    unit=Unit.DOLLARS,
    sides=(Beyond.DOWN_TO,),
    measure=_price,
    at_target=None,
    valid=Range.POSITIVE,
    named="market",
    actions=EXITS,
    why_only=WHY_EXITS,
    is_turned=_is_short,
    can_rest=True,
    volatility=partial(forecast, AHEAD),
    widens=EITHER,
    label="price",
    says=_says_stop,
    figure=usd_text,
)
TAKE_PROFIT: Metric[PerpPosition] = replace(
    STOP_LOSS,
    key="take_profit",
    words="take profit",
    summary="The index price, in dollars, at or beyond which the position gains: above for a long, below for a short.",
    sides=(Beyond.UP_TO,),
)
TRAILING_STOP: Metric[PerpPosition] = Metric(
    key="trailing_stop",
    words="trailing stop",
    summary="The share the index price moved against the position since its best, rounded up. Survives restarts.",
    unit=Unit.SHARE,
    sides=(Beyond.UP_TO,),
    measure=_trailing,
    at_target=None,
    valid=Range.SHARE,
    named="market",
    actions=EXITS,
    why_only=WHY_EXITS,
    remember=_keep_best,
    volatility=partial(forecast, AHEAD),
    widens=EITHER,
    says=_says_trailing,
    figure=_shown,
)
FUNDING: Metric[PerpPosition] = Metric(
    key="funding",
    words="funding",
    summary="Funding the position pays, a year, averaged over `window`. Nothing before half of the window was seen.",
    unit=Unit.RATE,
    sides=(Beyond.ABOVE,),
    measure=averaged(_funding),
    at_target=None,
    named="market",
    actions=EXITS,
    why_only=WHY_EXITS,
    window_s=WINDOW_S,
    remember=kept(_funding),
    follows_prices=False,
    figure=_shown,
)
SIZE: Metric[PerpPosition] = Metric(
    key="size",
    words="size",
    summary="The size of the position, or of one market. Closing brings it to zero.",
    unit=Unit.SIZE,
    sides=(),
    measure=_size,
    at_target=_size_at,
    risk=Beyond.ABOVE,
    named="market",
)


def closed(market: str | None = None) -> PerpTarget:
    """Return the target of no size; of an account with several markets only in the one that is named."""
    return Target(SIZE, 0, Subject(market))


METRICS: Mapping[str, Metric[PerpPosition]] = {
    m.key: m
    for m in (
        MARGIN_RATIO,
        LEVERAGE,
        LIQUIDATION_DISTANCE,
        *LOOKING_AHEAD,
        STOP_LOSS,
        TAKE_PROFIT,
        TRAILING_STOP,
        FUNDING,
        SIZE,
    )
}
