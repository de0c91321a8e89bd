"""How a position's health hangs on prices: the logarithm of what secures it over what it owes, as one process. Pure.

With one collateral and one debt, or one market, it is their prices' ratio, and the process exact. With several it is
taken by their shares twice: as they are now, which is right for what is probable, and as they would be where
liquidation begins (``edge``), which is right for what is not. The rarer it is the more the second counts. That is a
rule of thumb and not exact everywhere, so paths of every price stand beside it (``several``): the figure is the worse
of both, and no more than what paths that are so many leave open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core.lending.position import AccountFigures, LendingPosition
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt
from keeper.core.risk import barrier, edge, hermite, kou
from keeper.core.risk.facing import CASH, Facing, of_loan, of_perp
from keeper.core.risk.jumps import Jumps
from keeper.core.risk.market import Market, Movement
from keeper.core.risk.mixed import Mixed
from keeper.core.risk.volatility import unknown
from keeper.core.units import INFINITE, WAD, Address

NO_HISTORY = "no price history was read"
_SEARCHES = 24
"""Halvings of the logarithm of a time: to a millionth."""
_TRIES, _CLOSE, _SURE = 6, 0.003, 0.9999
"""With several prices the closed form is asked for what paths make of it, so often, until it is so near."""


@dataclass(frozen=True, slots=True)
class AtEdge:
    """How health moves where liquidation would begin, stretched so that it lies as far away as it does now."""

    volatility: float
    """As a share of that of now."""
    drift: float
    carry: float
    weight: float
    """How far health moves with the logarithm of the main driver's price."""
    curved: float
    """How many times as probable as the plane through the nearest place says."""
    is_exact: bool
    """Whether one driver alone matters, so that the shares of now say nothing more."""


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
    edge: AtEdge | None = None
    """None where health moves there as it does here."""
    mixed: Mixed | None = None
    """What paths are drawn of; None where the closed form is exact."""
    nodes: Sequence[tuple[float, float]] = hermite.NODES
    """Where what volatility may become is looked at."""


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
    driven = _driven(weights, market)
    drift = (down - up) / 2 + balance.carry
    main, size = driven.main, math.sqrt(spread)
    here = Stance(distance, drift, size, balance.carry, main.every_s, None, driven.is_owed, main.restless)
    sides = (_by_driver(ups, market), _by_driver(downs, market)) if market.is_by_paths else (ups, downs)
    here = here if market.is_by_paths else replace(here, nodes=hermite.THREE)
    if len(sides[0]) == len(sides[1]) == 1:  # their ratio: shares never change
        return replace(here, jumps=main.jumps) if driven.is_alone and driven.is_whole else here
    there = None if not 0 < distance < math.inf else _at_edge(balance, market, distance, size, driven)
    if there is not None and there.is_exact:
        return replace(here, edge=there, jumps=main.jumps)
    return replace(here, edge=there, mixed=_mixed(balance, market) if market.is_by_paths else None)


def _mixed(balance: Facing, market: Market) -> Mixed:
    """Return what paths are drawn of: shares by driver, for assets on one feed are one price."""
    ups, downs = (_by_driver(of, market) for of in balance.shares)
    asset_of = {market.drivers[a]: a for of in balance.shares for a in of if a != CASH}
    names = sorted(asset_of)
    sizes = {d: _size(asset_of[d], market) for d in names}
    rows = tuple(tuple(sizes[a] * sizes[b] * _known(asset_of[a], asset_of[b], market) for b in names) for a in names)
    secured, owed = (tuple(of.get(d, 0.0) for d in names) for of in (ups, downs))
    return Mixed(secured, owed, rows, balance.carry)


def _by_driver(shares: Mapping[Address, float], market: Market) -> dict[str, float]:
    found = dict[str, float]()
    for asset, share in shares.items():
        driver = str(CASH) if asset == CASH else market.drivers[asset]
        found[driver] = found.get(driver, 0.0) + share
    return found


def _at_edge(balance: Facing, market: Market, distance: float, volatility: float, driven: _Driven) -> AtEdge | None:
    """Return how health moves where liquidation would begin; None where nothing is found that would bring it there."""
    ups, downs = balance.shares
    assets = [a for a in {**ups, **downs} if a != CASH]
    sizes = [_size(a, market) for a in assets]
    rows = [
        [x * y * _known(a, b, market) for b, y in zip(assets, sizes, strict=True)]
        for a, x in zip(assets, sizes, strict=True)
    ]
    of = edge.Sides([ups.get(a, 0.0) for a in assets], [downs.get(a, 0.0) for a in assets], distance)
    found = edge.nearest(of, rows)
    if found is None:
        return AtEdge(1e-6, 0.0, 0.0, 1.0, 1.0, is_exact=True) if driven.is_alone else None
    pull = sum(
        w * v * c for w, row in zip(found.weights, rows, strict=True) for v, c in zip(found.weights, row, strict=True)
    )
    stretch = distance / (found.away * math.sqrt(pull))
    drift = -sum(w * size**2 for w, size in zip(found.weights, sizes, strict=True)) / 2
    main = sum(w for w, a in zip(found.weights, assets, strict=True) if market.drivers[a] == driven.name)
    return AtEdge(
        volatility=distance / found.away / volatility,
        drift=stretch * (drift + balance.carry),
        carry=stretch * balance.carry,
        weight=stretch * abs(main),
        curved=edge.curved(of, rows, found),
        is_exact=driven.is_alone and main != 0 and (main < 0) == driven.is_owed,
    )


def distance_of(figures: AccountFigures) -> float:
    """Return the logarithm of the health factor: what is left until liquidation, zero or less when it has begun."""
    health = figures.health_factor
    if health >= INFINITE:
        return math.inf
    return math.log(health / WAD) if health else -math.inf


def probability(of: Stance, horizon_s: float, distance: float | None = None) -> float | Doubt:
    """Return how probable liquidation is within a time: the larger of the path's chance and, with jumps, of theirs."""
    away = of.distance if distance is None else distance
    moving, jumping = _restless(of, away, horizon_s), with_jumps(of, horizon_s, away)
    if isinstance(moving, Doubt) or jumping is None or isinstance(jumping, Doubt):
        return moving
    return max(moving, jumping)


def with_jumps(of: Stance, horizon_s: float, away: float) -> float | Doubt | None:
    """Return the chance with the jumps of the one driver there is; None where none are known."""
    if of.jumps is None:
        return None
    weight, carry = (1.0, of.carry) if of.edge is None else (of.edge.weight, of.edge.carry)
    process = (kou.rising if of.is_owed else kou.falling)(away / weight, of.jumps, carry / weight)
    return kou.reached(process, horizon_s)


def _restless(of: Stance, away: float, horizon_s: float) -> float | Doubt:
    """Return the path's chance over what volatility may become: it is lognormal itself (Hull & White 1987)."""
    if not of.restless:
        return moving(of, horizon_s, away)
    total = 0.0
    for node, weight in of.nodes:
        found = _closed(of, horizon_s, away, math.exp(node * of.restless))
        if isinstance(found, Doubt):
            return found
        total += weight * found
    return _held(of, horizon_s, away, min(1.0, total), of.restless)


def moving(of: Stance, horizon_s: float, away: float) -> float | Doubt:
    """Return the path's chance at the volatility of now."""
    found = _closed(of, horizon_s, away, 1.0)
    return found if isinstance(found, Doubt) else _held(of, horizon_s, away, found, 0.0)


def _held(of: Stance, horizon_s: float, away: float, closed: float, restless: float) -> float:
    """Return the worse of the closed form and of paths, no more than paths leave open; with one price the first."""
    if of.mixed is None:
        return closed
    from keeper.core.risk import several  # noqa: PLC0415 - numpy, for who hangs on several prices

    factor = round(of.volatility / of.mixed.volatility, 9)
    share, most = several.fallen(of.mixed, horizon_s, away, factor, restless)
    return min(most, max(closed, share))


def _closed(of: Stance, horizon_s: float, away: float, factor: float) -> float | Doubt:
    """Return the closed form at so many times the volatility of now.

    With several prices it is that of the edge, drawn towards that of now by as much as it is probable.
    """
    drift = of.carry + (of.drift - of.carry) * factor**2
    here = barrier.reached(away, drift, of.volatility * factor, horizon_s)
    if of.edge is None or isinstance(here, Doubt):
        return here
    there_drift = of.edge.carry + (of.edge.drift - of.edge.carry) * factor**2
    there = barrier.reached(away, there_drift, of.volatility * of.edge.volatility * factor, horizon_s)
    if isinstance(there, Doubt) or of.edge.is_exact:
        return there
    there = min(1.0, there * of.edge.curved)
    return there + there * (here - there)


def seen_by_oracle(of: Stance, horizon_s: float) -> float | Doubt:
    """Return the same where health counts only when the oracle is updated, by its mean time between updates."""
    return moving(of, horizon_s, barrier.farther(of.distance, of.volatility, of.every_s))


def time_to(of: Stance, chance: float) -> float | Doubt | None:
    """Return in how many seconds liquidation has a probability; None when not within a hundred years."""
    if of.distance <= 0:
        return 0.0
    most = probability(of, barrier.LONGEST_S) if of.distance < math.inf else 0.0
    if isinstance(most, Doubt) or most < chance:
        return most if isinstance(most, Doubt) else None
    alone, asked = replace(of, mixed=None), chance
    found = _time_to(alone, asked)
    for _ in range(_TRIES if of.mixed is not None else 0):
        if isinstance(found, Doubt):
            return found
        here, closed = probability(of, found), probability(alone, found)
        if isinstance(here, Doubt) or isinstance(closed, Doubt) or not here or abs(here - chance) < _CLOSE * chance:
            break
        asked = min(_SURE, closed * chance / here)
        found = _time_to(alone, asked)
    return found


def _time_to(of: Stance, chance: float) -> float | Doubt:
    """Return the same by the closed forms; a hundred years where it is not within them."""
    soon, late = 0.0, math.log(barrier.LONGEST_S)
    for _ in range(_SEARCHES):
        middle = (soon + late) / 2
        found = probability(of, math.exp(middle))
        if isinstance(found, Doubt):
            return found
        soon, late = (middle, late) if found < chance else (soon, middle)
    return math.exp(late)


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


@dataclass(frozen=True, slots=True)
class _Driven:
    """What moves a position most: whether it is owed, whether nothing else matters, whether all of it hangs on it."""

    name: str
    main: Movement
    is_owed: bool
    is_alone: bool
    is_whole: bool


def _driven(weights: Mapping[Address, float], market: Market) -> _Driven:
    by_driver = dict[str, float]()
    for asset, weight in weights.items():
        by_driver[market.drivers[asset]] = by_driver.get(market.drivers[asset], 0.0) + weight

    def size(driver: str) -> float:
        volatility = market.movements[driver].volatility
        return 0.0 if isinstance(volatility, Doubt) else abs(by_driver[driver]) * volatility

    first = max(by_driver, key=size)
    is_alone = all(size(d) < size(first) / 10 for d in by_driver if d != first)
    return _Driven(
        name=first,
        main=market.movements[first],
        is_owed=by_driver[first] < 0,
        is_alone=is_alone,
        is_whole=abs(abs(by_driver[first]) - 1) < 1e-6,
    )


def _size(asset: Address, market: Market) -> float:
    moved = market.movement(asset)
    return 0.0 if isinstance(moved, Doubt) or isinstance(moved.volatility, Doubt) else moved.volatility


def _known(a: Address, b: Address, market: Market) -> float:
    found = market.together(a, b)
    return 0.0 if isinstance(found, Doubt) else found
