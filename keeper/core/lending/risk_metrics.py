"""What looking ahead asks of a loan (``core.ahead``): how probable its liquidation is, what of it may be lost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from keeper.core.ahead import Foresight, forecast, metrics_ahead
from keeper.core.lending.named import no_one_asset, secures
from keeper.core.lending.position import LendingPosition
from keeper.core.metrics import Subject, Target
from keeper.core.prices import Doubt
from keeper.core.units import INFINITE, WAD, Address, Usd, Wad

if TYPE_CHECKING:
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


def _probability(p: LendingPosition, horizon_s: int) -> int | Doubt | None:
    if not p.reported.debt_value:
        return 0 if p.beside.market is not None else None
    found = _stance(p)
    if found is None or isinstance(found, Doubt):
        return found
    return _share(p, found, p.reported.health_factor, horizon_s)


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


def _own(p: LendingPosition) -> tuple[Mapping[Address, int], int]:
    from keeper.core.risk.tail import exposures  # noqa: PLC0415 - for rules that look ahead

    own = exposures(p)
    return own, sum(own.values())


def _asset(p: LendingPosition, of: Subject) -> Address | Doubt:
    """Return the one asset that is meant."""
    found = secures(p, of)
    return found[0].asset if len(found) == 1 else no_one_asset(of.symbol, p)


def _stressed(p: LendingPosition, fall: int) -> Usd | None:
    from keeper.core.risk.stress import fallen, stressed  # noqa: PLC0415 - for rules that look ahead

    return None if p.is_empty else stressed(p, fallen(p, Wad(fall))).loss


LOAN_AHEAD: Foresight[LendingPosition] = Foresight(
    market=lambda p: p.beside.market,
    own=_own,
    asset=_asset,
    is_short=lambda _, __: False,
    stressed=_stressed,
    probability=_probability,
    probability_at=_probability_at,
    named="asset",
    if_unnamed="the one collateral",
    stress="What is lost if all that is no dollar falls by `fall` at once, in dollars, rounded up: of the owner's "
    "own, and to a liquidator where health would end below 1. Needs no price history.",
    exits=LESS_EXPOSURE,
)
LOOKING_AHEAD = metrics_ahead(LOAN_AHEAD)
LIQUIDATION_PROBABILITY, VALUE_AT_RISK, EXPECTED_SHORTFALL, VOLATILITY, DRAWDOWN, LOSS_IN_STRESS = LOOKING_AHEAD


def volatility_of_asset(p: LendingPosition, of: Subject) -> int | Doubt | None:
    """Return how much the price of the one asset that is meant is expected to move in a year, Wad rounded up."""
    return forecast(LOAN_AHEAD, p, of)
