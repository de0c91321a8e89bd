"""How far health falls where several prices move it: on paths of all of them, the same for the same inputs. Pure.

Shares change on the way, which no closed form follows everywhere. So prices are drawn from a fixed seed, and of each
path the lowest logarithm of health is kept, that between two steps included: the least of a Brownian bridge is drawn
by its own law (Glasserman, *Monte Carlo Methods*, 6.4). Sorted once, it says how probable it is that health falls by
any distance. Needs numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray

from keeper.core.risk.mixed import Mixed
from keeper.core.risk.normal import quantile
from keeper.core.risk.series import YEAR_S

PATHS, SEED = 16_384, 20_260_101
HALF = PATHS // 2
LEAST_STEPS, MOST_STEPS = 12, 48
STEP_VARIANCE = 0.01
"""No step is longer than what moves the wildest price by a tenth, up to so many steps."""
FARTHEST = 300.0
"""Beyond this logarithm a price is as good as nothing, or as everything."""
REMEMBERED, TABLES = 64, 4
RARE = 10 / PATHS
"""What so few paths can't see."""

Floats = NDArray[np.float64]


def fallen(of: Mixed, horizon_s: float, distance: float, factor: float, restless: float) -> tuple[float, float]:
    """Return the share of paths on which health falls by a distance, and the most that it may be in truth.

    ``factor``: so many times as volatile; ``restless``: the deviation of the logarithm of that. The most is four
    standard errors farther, and ten paths.
    """
    falls = falls_of(of, horizon_s, factor, restless)
    share = 1 - float(np.searchsorted(falls, distance, side="left")) / PATHS
    return share, min(1.0, share + 4 * sqrt(share / PATHS) + RARE)


@lru_cache(maxsize=REMEMBERED)
def falls_of(of: Mixed, horizon_s: float, factor: float, restless: float) -> Floats:
    """Return by path how far the logarithm of health falls at the most within the horizon, sorted."""
    years = horizon_s / YEAR_S
    steps = steps_for(of.wildest * (factor * exp(restless)) ** 2 * years)
    drawn = _drawn(len(of.covariance), steps)
    wide = factor * np.exp(restless * drawn.volatilities)
    covariance = np.asarray(of.covariance) * (years / steps)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    secured, owed = np.asarray(of.secured)[:, None], np.asarray(of.owed)[:, None]
    cash = max(0.0, 1 - secured.sum()), max(0.0, 1 - owed.sum())
    drift, both = np.diag(covariance)[:, None] / 2 * wide**2, np.concatenate((wide, wide)) ** 2
    at, before, lowest = np.zeros((len(covariance), PATHS)), np.zeros(PATHS), np.zeros(PATHS)
    spread = _spread(secured - owed, covariance)
    for i in range(steps):
        move = root @ drawn.normals[i] * wide
        at[:, :HALF] += move - drift
        at[:, HALF:] -= move + drift
        prices = np.exp(np.clip(at, -FARTHEST, FARTHEST))
        ups, downs = secured * prices, owed * prices
        up, down = ups.sum(axis=0) + cash[0], downs.sum(axis=0) + cash[1]
        after = np.log(up / down) + of.carry * years * (i + 1) / steps
        there = _spread(ups / up - downs / down, covariance)
        between = np.sqrt((after - before) ** 2 + (spread + there) * both * drawn.bridges[i])
        np.minimum(lowest, (before + after - between) / 2, out=lowest)
        before, spread = after, there
    return np.sort(-lowest)


def steps_for(variance: float) -> int:
    """Return in how many steps a horizon is walked, by the variance of the wildest price over it."""
    return int(min(MOST_STEPS, max(LEAST_STEPS, variance / STEP_VARIANCE)))


def _spread(shares: Floats, covariance: Floats) -> Floats:
    found: Floats = (shares * (covariance @ shares)).sum(axis=0)
    return found


@dataclass(frozen=True)
class _Drawn:
    """What chance gives: the normal moves of half the paths, for the others go the other way, and the rest of it.

    ``bridges`` draw the least of a bridge; ``volatilities`` stand for equal parts of a normal law, one by half a path.
    """

    normals: Floats
    bridges: Floats
    volatilities: Floats


@lru_cache(maxsize=TABLES)
def _drawn(drivers: int, steps: int) -> _Drawn:
    dice = np.random.Generator(np.random.SFC64(SEED))
    volatilities = dice.permutation([quantile((i + 0.5) / HALF) for i in range(HALF)])
    return _Drawn(dice.standard_normal((steps, drivers, HALF)), dice.standard_exponential((steps, PATHS)), volatilities)
