"""How probable it is that any position of an owner is liquidated, and that all are: on the same paths, and no sum.

Across protocols and chains: what one feed moves is one price wherever it stands, so that one asset in several positions
falls in all of them at once. Contagion: what a liquidation sells presses the price by what pools would ask for so much,
and whoever stands near is judged at that price on the paths on which the first one fell. Needs numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.core.prices import Doubt
from keeper.core.risk import monte_carlo as paths
from keeper.core.risk.facing import CASH
from keeper.core.risk.market import Market
from keeper.core.risk.measured import Measured
from keeper.core.risk.said import Document, rounded, said
from keeper.core.risk.stance import Stance
from keeper.core.risk.volatility import unknown
from keeper.core.units import DAY_S

STEPS = 8
"""Steps of a path at the least: between them it is bridged."""
STEP_S, MOST_STEPS = 4 * DAY_S, 96
"""With several prices no step is longer, up to so many."""
MOST_PRESSED = 0.5
"""No sale presses a price by more than this share of it."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One set of paths that all positions stand on; by place what became of each whose every price is known."""

    drivers: tuple[str, ...]
    on: paths.Drawn | None
    reached: Mapping[int, paths.Reached]


def draw(of: Sequence[Measured], market: Market, horizon_s: int, count: int, seed: int) -> Drawing:
    """Return the paths of every price that a position hangs on, and who is liquidated along them."""
    known = [i for i, m in enumerate(of) if isinstance(m.stance, Stance) and not m.has_begun and m.facing is not None]
    drivers = tuple(sorted({d for i in known for d in _drivers(of[i], market)}))
    covariance = covariance_of(market, drivers)
    if covariance is None or horizon_s <= 0:
        return Drawing(drivers, None, {})
    on = paths.drawn(covariance, horizon_s, steps_for(len(drivers), horizon_s), count, seed)
    return Drawing(drivers, on, {i: paths.liquidated(driven(of[i], market, drivers), on) for i in known})


def steps_for(drivers: int, horizon_s: int) -> int:
    """Return the steps of a path: a pair needs one, but of several prices the shares change on the way."""
    return STEPS if drivers < 3 else min(MOST_STEPS, max(STEPS, horizon_s // STEP_S))


def driven(of: Measured, market: Market, drivers: Sequence[str], pressed: Mapping[str, float] | None = None) -> Any:
    """Return a position as paths see it; where prices are pressed, each by a share of itself."""
    secured, owed, press = dict.fromkeys(drivers, 0.0), dict.fromkeys(drivers, 0.0), pressed or {}
    if of.facing is not None:
        for side, into in ((of.facing.secured, secured), (of.facing.owed, owed)):
            for asset, value in side.items():
                driver = _driver(asset, market)
                into[driver] += value * (1 - press.get(driver, 0.0))
    carry = of.facing.carry if of.facing is not None else 0.0
    return paths.DrivenLoan(tuple(secured.values()), tuple(owed.values()), carry)


def covariance_of(market: Market, drivers: Sequence[str]) -> list[list[float]] | None:
    """Return how drivers move together, a year; None where that is not known of two."""
    if not drivers or isinstance(market.correlations, Doubt):
        return None
    if any(d != CASH and d not in market.movements for d in drivers):
        return None
    sizes = [0.0 if d == CASH else market.movements[d].volatility for d in drivers]
    rows = list[list[float]]()
    for a, size in zip(drivers, sizes, strict=True):
        row = list[float]()
        for b, other in zip(drivers, sizes, strict=True):
            r = 0.0 if CASH in (a, b) else market.correlations.of(a, b)
            if r is None or isinstance(size, Doubt) or isinstance(other, Doubt):
                return None
            row.append(size * other * r)
        rows.append(row)
    return rows


def together(
    of: Sequence[Measured], market: Market, draws: Drawing, among: Sequence[int], pressing: Mapping[str, float]
) -> Document:
    """Return how probable it is that any of some positions is liquidated, and that all are.

    Between two steps positions that one driver moves fall together; those that others move, each by itself.
    ``pressing``: by driver the share by which a sold dollar presses its price.
    """
    begun = [i for i in among if of[i].has_begun]
    owing = [i for i in among if of[i].stance is not None]
    reached = {i: draws.reached[i].by_path for i in among if i in draws.reached}
    if len(reached) + len(begun) < len(owing):
        doubt = said(unknown("not every position's prices are known"))
        return {"any": 1.0 if begun else doubt, "all": None, "with_contagion": doubt}
    any_, all_ = _joint(of, market, reached)
    is_all = len(owing) == len(among)
    found: Document = {
        "any": 1.0 if begun else any_,
        "all": (all_ if reached else float(bool(begun))) if is_all else 0.0,
        "sum_of_each": rounded(sum(float(p.mean()) for p in reached.values()) + len(begun)),
    }
    return found | {"with_contagion": _with_contagion(of, market, draws, reached, begun, pressing)}


def _joint(of: Sequence[Measured], market: Market, reached: Mapping[int, Any]) -> tuple[float, float]:
    """Return the probability of any and of all: within a driver as one, across drivers each by itself on a path."""
    groups = dict[str, list[Any]]()
    for i, by_path in reached.items():
        groups.setdefault(main_driver(of[i], market), []).append(by_path)
    safe: Any = 1.0
    hit: Any = 1.0
    for found in groups.values():
        worst, best = found[0], found[0]
        for by_path in found[1:]:
            worst, best = worst.clip(min=by_path), best.clip(max=by_path)
        safe, hit = safe * (1 - worst), hit * best
    if not groups:
        return 0.0, 0.0
    return rounded(1 - float(safe.mean())), rounded(float(hit.mean()))


def _with_contagion(
    of: Sequence[Measured],
    market: Market,
    draws: Drawing,
    reached: Mapping[int, Any],
    begun: Sequence[int],
    pressing: Mapping[str, float],
) -> Any:
    """Return each probability, and that of all, when a sale presses the others; that of any stays."""
    pressed = dict[int, dict[str, float]]()
    for i in (*reached, *begun):
        driver = main_driver(of[i], market)
        if of[i].sold and driver not in pressing:
            return said(unknown(f"how far a sale presses {driver} is not known: no pool was asked"))
        if of[i].sold:
            pressed[i] = {driver: min(MOST_PRESSED, of[i].sold * pressing[driver])}
    after = dict[int, Any]()
    for j, alone in reached.items():
        others = [i for i in pressed if i != j]
        sold = [i for i in others if i in begun] or others
        if draws.on is None or not sold:
            after[j] = alone
            continue
        hardest = max(sold, key=lambda i: max(pressed[i].values()))
        there = paths.liquidated(driven(of[j], market, draws.drivers, pressed[hardest]), draws.on).by_path
        first: Any = 1.0 if hardest in begun else reached[hardest]
        after[j] = alone + first * (there.clip(min=alone) - alone)
    return {
        "all": _joint(of, market, after)[1],
        "each": {of[j].name: rounded(float(p.mean())) for j, p in after.items()},
        "pressed": {of[i].name: {d: rounded(x) for d, x in by.items()} for i, by in pressed.items()},
    }


def main_driver(of: Measured, market: Market) -> str:
    """Return the driver that moves a position most."""
    sizes = dict[str, float]()
    for asset, value in of.own.items():
        driver = _driver(asset, market)
        moved = market.movements.get(driver)
        volatility = 0.0 if moved is None or isinstance(moved.volatility, Doubt) else moved.volatility
        sizes[driver] = sizes.get(driver, 0.0) + abs(value) * volatility
    return max(sizes, key=lambda d: sizes[d], default=str(CASH))


def _drivers(of: Measured, market: Market) -> set[str]:
    facing = of.facing
    return set() if facing is None else {_driver(a, market) for a in (*facing.secured, *facing.owed)}


def _driver(asset: str, market: Market) -> str:
    return str(CASH) if asset == CASH else market.drivers.get(asset, "")  # type: ignore[call-overload]
