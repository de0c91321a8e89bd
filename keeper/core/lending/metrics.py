"""What rules look at in a lending position: one ``Metric`` each. Figures are the protocol's own, proven to the wei.

A new trigger is one more ``Metric`` here, put into ``METRICS``. What it needs read stands in the position's holdings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from keeper.core.lending import figures as lending
from keeper.core.lending.market_metrics import BORROW_RATE, NET_RATE, PEG, UTILISATION
from keeper.core.lending.named import no_one_asset, secures
from keeper.core.lending.position import AccountFigures, LendingPosition
from keeper.core.lending.risk_metrics import LOOKING_AHEAD, health_for, volatility_of_asset, volatility_of_health
from keeper.core.lending.share_metrics import SHARES
from keeper.core.metrics import Metric, Subject, Target, Trigger
from keeper.core.prices import Doubt
from keeper.core.scales import Beyond, End, Range, Unit, percent, plain, trimmed
from keeper.core.trail import LookBack
from keeper.core.units import (
    INFINITE,
    WAD,
    Bps,
    Wad,
    mul_div_down,
    mul_div_up,
    ratio_text,
    usd_text,
)

LendingTarget = Target[LendingPosition]
LendingTrigger = Trigger[LendingPosition]

MOST_HEALTH = 10 * WAD
"""A health factor above this is debt of a tenth: as a bound it is more likely a slip of the point."""
MOST_LTV = WAD * 98 // 100
"""No reserve's liquidation threshold is as high."""


# --- a target and figures --------------------------------------------------------------------------------------------


def as_if(p: LendingPosition, figures: AccountFigures) -> LendingPosition:
    """Return a position as it would be with these figures: what a rule is asked about after some moves."""
    return replace(p, reported=figures)


def meets(target: LendingTarget, p: LendingPosition) -> Callable[[AccountFigures], bool]:
    """Return the predicate a plan is solved for: whether a position with other figures meets the target.

    A target that looks ahead is asked once, at which health it is met: a plan tries hundreds of amounts.
    """
    least = health_for(p, target) if target.metric.looks_ahead else None
    if least is not None:
        return lambda figures: figures.health_factor >= least
    return lambda figures: target.is_met(as_if(p, figures))


def health_at(of: AccountFigures, metric: Metric[LendingPosition], value: int) -> int | None:
    """Return the health factor at which a metric has a value, rounded down; None where no health factor says.

    With one average threshold T: health factor = T / LTV, and distance = 1 - 1 / health factor.
    """
    found = _HEALTH_AT.get(metric.key)
    return None if found is None else found(of.average_threshold * WAD // 10_000, value)


def _at_distance(_: int, distance: int) -> int:
    return mul_div_down(WAD, WAD, WAD - distance) if distance < WAD else INFINITE


def _at_ltv(threshold: int, ltv: int) -> int:
    return mul_div_down(threshold, WAD, ltv) if ltv and threshold else INFINITE


_HEALTH_AT: Mapping[str, Callable[[int, int], int | None]] = {
    "health_factor": lambda _, value: value,
    "liquidation_distance": _at_distance,
    "ltv": _at_ltv,
    "debt": lambda _, value: None if value else INFINITE,
    "stake": lambda _, value: None if value else INFINITE,
}


def _health_at(p: LendingPosition | None, target: LendingTarget) -> int | None:
    if p is None and target.metric.key == "ltv" and target.value:
        return None
    if target.metric.looks_ahead:
        return None if p is None else health_for(p, target)
    return health_at(p.reported if p else _UNKNOWN, target.metric, target.value)


def _distance_at(p: LendingPosition | None, target: LendingTarget) -> int | None:
    if target.metric.key == "liquidation_distance":
        return target.value
    health = _health_at(p, target)
    return None if health is None else lending.liquidation_distance_at(Wad(health))


def _ltv_at(p: LendingPosition | None, target: LendingTarget) -> int | None:
    if target.metric.key == "ltv":
        return target.value
    health = _health_at(p, target)
    if health is None or health >= INFINITE:
        return None if health is None else 0
    if p is None:
        return None
    return mul_div_up(p.reported.average_threshold * WAD // 10_000, WAD, health) if health else INFINITE


def _price(p: LendingPosition, _: LookBack, of: Subject) -> int | Doubt:
    found = secures(p, of)
    return found[0].price.answer if len(found) == 1 else no_one_asset(of.symbol, p)


def _borrow_limit_distance(p: LendingPosition, _: LookBack, __: Subject) -> int | None:
    """Return it by the borrow factors, rounded down: zero at the limit and beyond; None where nothing is owed."""
    owed = sum(h.usd_up(h.borrowed) for h in p.held)
    lent = sum(h.usd_down(h.supplied) * h.borrow_factor // WAD for h in p.held if h.is_collateral)
    if not owed:
        return None
    return max(0, WAD - mul_div_up(owed, WAD, lent)) if lent else 0


# --- bounds that never work, and words -------------------------------------------------------------------------------


def likely_health(value: int) -> str:
    """Return the number with its point put where a health factor has it."""
    digits = plain(value).replace(".", "").rstrip("0")
    guess = f"{digits[0]}.{digits[1:].ljust(2, '0')}"
    return f'did you mean "{guess}"?' if guess[0] in "123" else "write one like 1.25"


def _odd_health(side: Beyond, bound: int) -> str | None:
    if bound <= WAD and side is Beyond.ABOVE:
        return f"a health factor above {plain(bound)} is every one that is alive; write a bound above 1"
    if bound <= WAD:
        return f"a health factor of {plain(bound)} is too late: liquidation begins at 1; write a bound above it"
    if bound > MOST_HEALTH:
        always = "fires always" if side is Beyond.BELOW else "never fires"
        return f"a health factor of {plain(bound)} as bound {always}; {likely_health(bound)}"
    return None


def _odd_ltv(_: Beyond, bound: int) -> str | None:
    if bound <= MOST_LTV:
        return None
    return f"a loan-to-value of {plain(bound)} is too late: every market liquidates before; write a lower bound"


def _odd_distance(_: Beyond, bound: int) -> str | None:
    if bound <= WAD - WAD * WAD // MOST_HEALTH:
        return None
    return f'a distance of {plain(bound)} as bound fires always; 20 % is "0.20"'


def _says_price(trigger: LendingTrigger, measured: str, bound: str) -> str:
    return f"price of {trigger.of.symbol or 'the collateral'} {measured} is {trigger.side.value} {bound}"


def _shown_health(value: int) -> str:
    return "∞" if value >= INFINITE else trimmed(value, 18)


def _shown_share(value: int) -> str:
    return "∞" if value >= INFINITE else percent(value)


_UNKNOWN = AccountFigures(0, 0, 0, Bps(0), Bps(0), Wad(0))

HEALTH_FACTOR: Metric[LendingPosition] = Metric(
    key="health_factor",
    words="health factor",
    summary="Collateral, weighted by its liquidation thresholds, over debt. Below 1 anyone may liquidate.",
    unit=Unit.RATIO,
    sides=(Beyond.BELOW, Beyond.ABOVE),
    measure=lambda p, _, __: p.reported.health_factor,
    at_target=_health_at,
    risk=Beyond.BELOW,
    valid=Range.POSITIVE,
    valid_target=Range.ABOVE_ONE,
    odd=_odd_health,
    volatility=volatility_of_health,
    figure=_shown_health,
    exact=ratio_text,
)
LTV: Metric[LendingPosition] = Metric(
    key="ltv",
    words="LTV",
    summary="Debt over collateral, rounded up.",
    unit=Unit.SHARE,
    sides=(Beyond.ABOVE,),
    measure=lambda p, _, __: lending.current_ltv(p.reported),
    at_target=_ltv_at,
    risk=Beyond.ABOVE,
    valid=Range.SHARE,
    valid_target=Range.SHARE,
    odd=_odd_ltv,
    volatility=volatility_of_health,
    widens=(End.MIN,),
    figure=_shown_share,
)
LIQUIDATION_DISTANCE: Metric[LendingPosition] = Metric(
    key="liquidation_distance",
    words="distance to liquidation",
    summary="By which share all collateral may fall together before liquidation.",
    unit=Unit.SHARE,
    sides=(Beyond.BELOW,),
    measure=lambda p, _, __: lending.liquidation_distance(p.reported),
    at_target=_distance_at,
    valid=Range.SHARE,
    odd=_odd_distance,
    volatility=volatility_of_health,
    figure=_shown_share,
)
BORROW_LIMIT_DISTANCE: Metric[LendingPosition] = Metric(
    key="borrow_limit_distance",
    words="distance to the borrow limit",
    summary="By which share all collateral may fall together before nothing more can be borrowed; on some markets "
    "(Compound v3) nothing can leave below it either.",
    unit=Unit.SHARE,
    sides=(Beyond.BELOW,),
    measure=_borrow_limit_distance,
    at_target=None,
    valid=Range.SHARE,
    odd=_odd_distance,
    volatility=volatility_of_health,
    figure=_shown_share,
)
PRICE: Metric[LendingPosition] = Metric(
    key="price",
    words="price",
    summary="The market's oracle price of one whole asset, in dollars; without `asset` that of the one collateral.",
    unit=Unit.DOLLARS,
    sides=(Beyond.BELOW, Beyond.ABOVE),
    measure=_price,
    at_target=None,
    valid=Range.POSITIVE,
    named="asset",
    volatility=volatility_of_asset,
    widens=(End.MAX, End.MIN),
    says=_says_price,
    figure=usd_text,
)
DEBT: Metric[LendingPosition] = Metric(
    key="debt",
    words="debt",
    summary="Everything that is owed. Closing brings it to nothing; what collateral is left stays supplied.",
    unit=Unit.DOLLARS,
    sides=(),
    measure=lambda p, _, __: p.reported.debt_value,
    at_target=lambda _, target: target.value if target.metric.key == "debt" else None,
    risk=Beyond.ABOVE,
    figure=usd_text,
)
STAKE: Metric[LendingPosition] = Metric(
    key="stake",
    words="position",
    summary="Everything that is supplied and owed. Leaving brings both to nothing.",
    unit=Unit.DOLLARS,
    sides=(),
    measure=lambda p, _, __: p.reported.collateral_value + p.reported.debt_value,
    at_target=lambda _, target: target.value if target.metric.key == "stake" else None,
    risk=Beyond.ABOVE,
    figure=usd_text,
)
_NOW = (HEALTH_FACTOR, LTV, LIQUIDATION_DISTANCE, BORROW_LIMIT_DISTANCE, PRICE, BORROW_RATE, NET_RATE, PEG, UTILISATION)
METRICS: Mapping[str, Metric[LendingPosition]] = {m.key: m for m in (*_NOW, *LOOKING_AHEAD, *SHARES, DEBT, STAKE)}
CLOSED: LendingTarget = Target(DEBT, 0)
"""Repay every debt."""
EXITED: LendingTarget = Target(STAKE, 0)
"""Repay every debt, and take everything out."""


def restored_to(health: Wad) -> LendingTarget:
    """Return the target of a health factor."""
    return Target(HEALTH_FACTOR, health)
