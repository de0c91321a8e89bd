"""Triggers that look ahead: how probable liquidation is, what may be lost, how much prices move. One ``Metric`` each.

They rest on the price history that is read beside a position. Without one, or with too little of it, they measure
nothing and say so. What they are made of is loaded when a rule first asks: most keepers have none of these.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from keeper.core.lending.named import no_one_asset, secures
from keeper.core.lending.position import LendingPosition
from keeper.core.metrics import Metric, Subject, Target
from keeper.core.prices import Doubt
from keeper.core.scales import Beyond, Range, Unit, percent, plain
from keeper.core.trail import LookBack
from keeper.core.units import DAY_S, INFINITE, WAD, Usd, Wad, mul_div_up, usd_text

if TYPE_CHECKING:
    from keeper.core.risk.market import Movement
    from keeper.core.risk.stance import Stance

LESS_EXPOSURE = ("deleverage",)
"""What makes that smaller which prices can take: a payment from the wallet leaves it as it is."""
_SEARCHES = 34
"""Halvings of a health factor that is looked for: to a billionth."""
_HIGHEST = 10 * WAD
_REMEMBERED = 64
_HEALTHS: dict[tuple[object, int, int], int | None] = {}
"""By stance, target and horizon: the health at which it is met. One that is remembered is of the same market."""
_LAST: list[tuple[object, object, object]] = []
"""Holdings and market that a stance was last worked out for: one position is asked about many amounts in a row."""


def _stance(p: LendingPosition) -> Stance | Doubt | None:
    from keeper.core.risk.stance import Stance, stance  # noqa: PLC0415 - for rules that look ahead

    if _LAST and _LAST[0][0] is p.holdings and _LAST[0][1] is p.beside.market:
        known = _LAST[0][2]
        return known if isinstance(known, Stance) else stance(p, p.beside.market)
    found = stance(p, p.beside.market)
    _LAST[:] = [(p.holdings, p.beside.market, found)]
    return found


def volatility_of_health(p: LendingPosition, _: Subject) -> int | Doubt | None:
    """Return how much the health factor moves in a year, Wad rounded up; None without debt."""
    found = _stance(p)
    return found if found is None or isinstance(found, Doubt) else math.ceil(found.volatility * WAD)


def _share(p: LendingPosition, of: Stance, health: int, horizon_s: int) -> int | Doubt:
    """Return the probability of liquidation at a health factor, rounded up."""
    from keeper.core.risk.stance import probability  # noqa: PLC0415 - for rules that look ahead

    distance = math.inf if health >= INFINITE else math.log(health / WAD) if health > 0 else -math.inf
    found = probability(of, horizon_s, distance)
    return found if isinstance(found, Doubt) else math.ceil(found * WAD)


def _probability(p: LendingPosition, _: LookBack, of: Subject) -> int | Doubt | None:
    if not p.reported.debt_value:
        return 0 if p.beside.market is not None else None
    found = _stance(p)
    if found is None or isinstance(found, Doubt):
        return found
    return _share(p, found, p.reported.health_factor, of.window_s)


def _probability_at(p: LendingPosition | None, target: Target[LendingPosition]) -> int | None:
    from keeper.core.lending.metrics import health_at  # noqa: PLC0415 - which lists this one

    if target.metric is LIQUIDATION_PROBABILITY:
        return target.value
    health = None if p is None else health_at(p.reported, target.metric, target.value)
    if p is None or health is None:
        return None
    if health >= INFINITE:
        return 0
    found = _stance(p)
    if found is None or isinstance(found, Doubt):
        return None
    share = _share(p, found, health, _horizon(target))
    return None if isinstance(share, Doubt) else share


def _horizon(target: Target[LendingPosition]) -> int:
    """Return over which time a target is asked about: its trigger's."""
    return target.of.window_s or LIQUIDATION_PROBABILITY.window_s


def health_for(p: LendingPosition, target: Target[LendingPosition]) -> int | None:
    """Return the least health factor at which liquidation is no more probable than a target says; None if unknown."""
    found = _stance(p)
    if found is None or isinstance(found, Doubt):
        return None
    key = found, target.value, _horizon(target)
    if key not in _HEALTHS:
        if len(_HEALTHS) > _REMEMBERED:
            _HEALTHS.clear()
        _HEALTHS[key] = _searched(p, found, target)
    return _HEALTHS[key]


def _searched(p: LendingPosition, found: Stance, target: Target[LendingPosition]) -> int | None:
    low, high = WAD, _HIGHEST
    for _ in range(_SEARCHES):
        middle = (low + high) // 2
        share = _share(p, found, middle, _horizon(target))
        if isinstance(share, Doubt):
            return None
        low, high = (middle, high) if share > target.value else (low, middle)
    return high


def _value_at_risk(p: LendingPosition, _: LookBack, of: Subject) -> Usd | Doubt | None:
    from keeper.core.risk.tail import value_at_risk  # noqa: PLC0415 - for rules that look ahead

    return value_at_risk(p, p.beside.market, of.window_s)


def _expected_shortfall(p: LendingPosition, _: LookBack, of: Subject) -> Usd | Doubt | None:
    from keeper.core.risk.tail import expected_shortfall  # noqa: PLC0415 - for rules that look ahead

    return expected_shortfall(p, p.beside.market, of.window_s)


def _movement(p: LendingPosition, of: Subject) -> Movement | Doubt:
    """Return how the price of the one asset that is meant moves."""
    from keeper.core.risk.volatility import unknown  # noqa: PLC0415 - for rules that look ahead

    found = secures(p, of)
    if len(found) != 1:
        return no_one_asset(of.symbol, p)
    return unknown("no price history was read") if p.beside.market is None else p.beside.market.movement(found[0].asset)


def volatility_of_asset(p: LendingPosition, of: Subject) -> int | Doubt:
    """Return how much the price of the one asset that is meant is expected to move in a year, Wad rounded up."""
    moving = _movement(p, of)
    found = moving if isinstance(moving, Doubt) else moving.volatility
    return found if isinstance(found, Doubt) else math.ceil(found * WAD)


def _volatility(p: LendingPosition, _: LookBack, of: Subject) -> int | Doubt:
    from keeper.core.risk.volatility import realised  # noqa: PLC0415 - for rules that look ahead

    moving = _movement(p, of)
    if isinstance(moving, Doubt):
        return moving
    found = realised(moving.history, of.window_s, p.block.timestamp, moving.quiet_s)
    return found if isinstance(found, Doubt) else math.ceil(found * WAD)


def _drawdown(p: LendingPosition, _: LookBack, of: Subject) -> int | Doubt:
    from keeper.core.risk.volatility import covered  # noqa: PLC0415 - for rules that look ahead

    moving = _movement(p, of)
    if isinstance(moving, Doubt):
        return moving
    now = p.block.timestamp
    doubt = covered(moving.history, of.window_s, now, moving.quiet_s)
    if doubt is not None:
        return doubt
    seen = [tick.price for tick in moving.history.until(now).since(now - of.window_s).ticks]
    return mul_div_up(max(seen) - seen[-1], WAD, max(seen))


def _loss_in_stress(p: LendingPosition, _: LookBack, of: Subject) -> Usd | None:
    from keeper.core.risk.stress import fallen, stressed  # noqa: PLC0415 - for rules that look ahead

    return None if p.is_empty else stressed(p, fallen(p, Wad(of.fall))).loss


def _odd_probability(_: Beyond, bound: int) -> str | None:
    if bound < WAD // 2:
        return None
    return f'a probability of {plain(bound)} is {percent(bound)}: too late; 1 % is "0.01"'


def _odd_volatility(_: Beyond, bound: int) -> str | None:
    if bound < 20 * WAD:
        return None
    return f'a volatility of {plain(bound)} is {percent(bound)} a year; 80 % is "0.80"'


LIQUIDATION_PROBABILITY: Metric[LendingPosition] = Metric(
    key="liquidation_probability",
    words="probability of liquidation",
    summary="How probable liquidation is within `horizon`, by the price history of its assets, rounded up: the larger "
    "of what prices that move (reflection principle) and prices that jump (Kou) make of it. Unknown until a day of "
    "prices was read, and where they say nothing for days.",
    unit=Unit.SHARE,
    sides=(Beyond.ABOVE,),
    measure=_probability,
    at_target=_probability_at,
    risk=Beyond.ABOVE,
    valid=Range.SHARE,
    valid_target=Range.SHARE,
    odd=_odd_probability,
    window_s=DAY_S,
    parts=("probability", "horizon"),
    looks_ahead=True,
    figure=percent,
)
VALUE_AT_RISK: Metric[LendingPosition] = Metric(
    key="value_at_risk",
    words="value at risk",
    summary="What of the owner's own is lost within `horizon` in the worst of a hundred cases, in dollars, rounded up; "
    "what a liquidation takes is not in it.",
    unit=Unit.DOLLARS,
    sides=(Beyond.ABOVE,),
    measure=_value_at_risk,
    at_target=None,
    valid=Range.POSITIVE,
    window_s=DAY_S,
    parts=("loss", "horizon"),
    actions=LESS_EXPOSURE,
    why_only="leaves what prices can take as it is",
    looks_ahead=True,
    figure=usd_text,
)
EXPECTED_SHORTFALL: Metric[LendingPosition] = Metric(
    key="expected_shortfall",
    words="expected shortfall",
    summary="The mean loss within `horizon` of the worst fortieth of all cases (97.5 %, as banks measure it), in "
    "dollars, rounded up; what a liquidation takes is not in it.",
    unit=Unit.DOLLARS,
    sides=(Beyond.ABOVE,),
    measure=_expected_shortfall,
    at_target=None,
    valid=Range.POSITIVE,
    window_s=DAY_S,
    parts=("loss", "horizon"),
    actions=LESS_EXPOSURE,
    why_only="leaves what prices can take as it is",
    looks_ahead=True,
    figure=usd_text,
)
VOLATILITY: Metric[LendingPosition] = Metric(
    key="volatility",
    words="volatility",
    summary="How much the oracle's price of one asset moved in `window`, as a share a year (realised), rounded up; "
    "without `asset` that of the one collateral.",
    unit=Unit.RATE,
    sides=(Beyond.ABOVE,),
    measure=_volatility,
    at_target=None,
    valid=Range.POSITIVE,
    odd=_odd_volatility,
    named="asset",
    window_s=DAY_S,
    looks_ahead=True,
    figure=percent,
)
DRAWDOWN: Metric[LendingPosition] = Metric(
    key="drawdown",
    words="drawdown",
    summary="By which share the oracle's price of one asset stands below its highest of `window`, rounded up; without "
    "`asset` that of the one collateral.",
    unit=Unit.SHARE,
    sides=(Beyond.ABOVE,),
    measure=_drawdown,
    at_target=None,
    valid=Range.SHARE,
    named="asset",
    window_s=DAY_S,
    looks_ahead=True,
    figure=percent,
)
LOSS_IN_STRESS: Metric[LendingPosition] = Metric(
    key="loss_in_stress",
    words="loss in a stress",
    summary="What is lost if all that is no dollar falls by `fall` at once, in dollars, rounded up: of the owner's "
    "own, and to a liquidator where health would end below 1. Needs no price history.",
    unit=Unit.DOLLARS,
    sides=(Beyond.ABOVE,),
    measure=_loss_in_stress,
    at_target=None,
    valid=Range.POSITIVE,
    fall=WAD * 2 // 5,
    parts=("loss", "fall"),
    actions=LESS_EXPOSURE,
    why_only="leaves what prices can take as it is",
    figure=usd_text,
)
LOOKING_AHEAD = (LIQUIDATION_PROBABILITY, VALUE_AT_RISK, EXPECTED_SHORTFALL, VOLATILITY, DRAWDOWN, LOSS_IN_STRESS)
