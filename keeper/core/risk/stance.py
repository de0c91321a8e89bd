"""How a position's health hangs on prices: the logarithm of what secures it over what it owes, as one process. Pure.

With one collateral and one debt, or one market, it is their prices' ratio, and the process exact. With several it is
taken by their shares as they are now (tests hold it against paths of every price).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from keeper.core.lending.position import AccountFigures, LendingPosition
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt
from keeper.core.risk import barrier, kou
from keeper.core.risk.facing import CASH, Facing, of_loan, of_perp
from keeper.core.risk.jumps import Jumps
from keeper.core.risk.market import Market, Movement
from keeper.core.risk.volatility import unknown
from keeper.core.units import INFINITE, WAD, Address

NO_HISTORY = "no price history was read"


@dataclass(frozen=True, slots=True)
class Stance:
    """The logarithm of a health factor: how far from liquidation, how it moves in a year, and what makes it jump."""

    distance: float
    drift: float
    volatility: float
    carry: float
    """The part of the drift that interest is."""
    every_s: int
    """The mean time between updates of the oracle that moves it most."""
    jumps: Jumps | None = None
    """Of the one driver there is; None where none are known, or several prices move it."""
    is_owed: bool = False
    """Whether the driver is owed: its rise is the danger."""
    restless: float = 0.0
    """How much the volatility of the main driver changes in a day, as the deviation of its logarithm."""


def stance(p: LendingPosition, market: Market | None) -> Stance | Doubt | None:
    """Return how a position's health moves; None without debt; a Doubt where a price's movement is not known."""
    if market is None:
        return unknown(NO_HISTORY)
    if not p.reported.debt_value or p.reported.health_factor >= INFINITE:
        return None
    return of_balance(of_loan(p), market, distance_of(p.reported))


def perp_stance(p: PerpPosition, market: Market | None) -> Stance | Doubt | None:
    """Return the same of a perpetual; None where nothing can liquidate it: no size, or nothing owed against it."""
    balance = of_perp(p)
    if balance is None or balance.distance == math.inf:
        return None
    return unknown(NO_HISTORY) if market is None else of_balance(balance, market, balance.distance)


def of_balance(balance: Facing, market: Market, distance: float) -> Stance | Doubt:
    """Return how what secures moves over what is owed, by their shares as they are now."""
    ups, downs = balance.shares
    weights = {a: ups.get(a, 0.0) - downs.get(a, 0.0) for a in {**ups, **downs} if a != CASH}
    spread, up, down = (variance(of, market) for of in (weights, ups, downs))
    for found in (spread, up, down):
        if isinstance(found, Doubt):
            return found
    assert not isinstance(spread, Doubt) and not isinstance(up, Doubt) and not isinstance(down, Doubt)  # noqa: S101, PT018
    if spread <= 0:
        return unknown("nothing moves its health: what secures it and what it owes are one asset")
    jumps, is_owed, main = _driven(weights, market)
    drift = (down - up) / 2 + balance.carry
    return Stance(distance, drift, math.sqrt(spread), balance.carry, main.every_s, jumps, is_owed, main.restless)


def distance_of(figures: AccountFigures) -> float:
    """Return the logarithm of the health factor: what is left until liquidation, zero or less when it has begun."""
    health = figures.health_factor
    if health >= INFINITE:
        return math.inf
    return math.log(health / WAD) if health else -math.inf


def probability(of: Stance, horizon_s: float, distance: float | None = None) -> float | Doubt:
    """Return how probable liquidation is within a time: the larger of the path's chance and, with jumps, of theirs."""
    away = of.distance if distance is None else distance
    moving = _moving(of, away, horizon_s)
    if isinstance(moving, Doubt) or of.jumps is None:
        return moving
    process = (kou.rising if of.is_owed else kou.falling)(away, of.jumps, of.carry)
    jumping = kou.reached(process, horizon_s)
    return moving if isinstance(jumping, Doubt) else max(moving, jumping)


_NODES = ((-math.sqrt(3), 1 / 6), (0.0, 2 / 3), (math.sqrt(3), 1 / 6))
"""Gauss and Hermite's three: exact for what is a polynomial up to the fifth power."""


def _moving(of: Stance, away: float, horizon_s: float) -> float | Doubt:
    """Return the path's chance over what volatility may become: it is lognormal itself (Hull & White 1987)."""
    if not of.restless:
        return barrier.reached(away, of.drift, of.volatility, horizon_s)
    total = 0.0
    for node, weight in _NODES:
        factor = math.exp(node * of.restless)
        drift = of.carry + (of.drift - of.carry) * factor**2
        found = barrier.reached(away, drift, of.volatility * factor, horizon_s)
        if isinstance(found, Doubt):
            return found
        total += weight * found
    return min(1.0, total)


def seen_by_oracle(of: Stance, horizon_s: float) -> float | Doubt:
    """Return the same where health counts only when the oracle is updated, by its mean time between updates."""
    return barrier.reached(barrier.farther(of.distance, of.volatility, of.every_s), of.drift, of.volatility, horizon_s)


def shares(p: LendingPosition) -> tuple[dict[Address, float], dict[Address, float]]:
    """Return each asset's share of what secures the debts, by its liquidation factor, and of the debts."""
    return of_loan(p).shares


def variance(weights: Mapping[Address, float], market: Market) -> float | Doubt:
    """Return the variance in a year of prices that move together with these weights."""
    total, moving = 0.0, [(a, w) for a, w in weights.items() if w and a != CASH]
    sizes = dict[Address, float]()
    for asset, weight in moving:
        found = market.movement(asset)
        size = found if isinstance(found, Doubt) else found.volatility
        if isinstance(size, Doubt):
            return size
        sizes[asset] = weight * size
    for a, _ in moving:
        for b, _ in moving:
            r = market.together(a, b)
            if isinstance(r, Doubt):
                return r
            total += sizes[a] * sizes[b] * r
    return max(0.0, total)


def _driven(weights: Mapping[Address, float], market: Market) -> tuple[Jumps | None, bool, Movement]:
    """Return what makes it jump, where one driver with the whole weight does; if that is owed; and how it moves."""
    by_driver = dict[str, float]()
    for asset, weight in weights.items():
        by_driver[market.drivers[asset]] = by_driver.get(market.drivers[asset], 0.0) + weight

    def size(driver: str) -> float:
        volatility = market.movements[driver].volatility
        return 0.0 if isinstance(volatility, Doubt) else abs(by_driver[driver]) * volatility

    first = max(by_driver, key=size)
    found = market.movements[first]
    is_alone = all(size(d) < size(first) / 10 for d in by_driver if d != first)
    is_whole = abs(abs(by_driver[first]) - 1) < 1e-6
    return found.jumps if is_alone and is_whole else None, by_driver[first] < 0, found
