"""Paths of several prices at once, and what loans make of them: the check on the closed forms, and the figure for many.

Prices are correlated lognormals; between two steps each path is bridged: it may have touched the level in between with
``exp(-2 a b / σ²Δt)``, a and b the logarithmic distances at both ends (Glasserman, *Monte Carlo Methods*, 6.4). One set
of paths serves every position. Needs numpy, which only those load who draw paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from keeper.core.risk.series import YEAR_S

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """Paths: logarithms of relative prices by (step, driver, path), the covariance of a step, and the seconds of it."""

    logs: Floats
    covariance: Floats
    step_s: float
    _ratios: dict[tuple[int, int], Floats] = field(default_factory=dict)

    @cached_property
    def prices(self) -> Floats:
        """The prices themselves: only who hangs on several needs them."""
        return np.exp(self.logs)

    def ratio(self, a: int, b: int) -> Floats:
        """Return by path the logarithm of one driver's price over another's at the end: once for all who hang on it."""
        if (a, b) not in self._ratios:
            self._ratios[a, b] = self.logs[-1, a] - self.logs[-1, b]
        return self._ratios[a, b]


@dataclass(frozen=True, slots=True)
class DrivenLoan:
    """A loan as paths see it: by driver what secures (weighted) and what is owed, and by which interest both grow."""

    secured: tuple[float, ...]
    owed: tuple[float, ...]
    carry: float = 0.0


@dataclass(frozen=True, slots=True)
class Reached:
    """By path: how probable it is that the loan was liquidated on it. ``probability`` and its standard error."""

    by_path: Floats
    probability: float
    error: float


def drawn(covariance: Sequence[Sequence[float]], horizon_s: float, steps: int, paths: int, seed: int) -> Drawn:
    """Return paths of prices with a covariance a year; antithetic in pairs, the same for the same seed.

    Raises ValueError where the covariance is none, or there is nothing to draw.
    """
    given = np.asarray(covariance, dtype=np.float64)
    if horizon_s <= 0 or steps < 1 or paths < 2 or not np.isfinite(given).all() or given.ndim != 2:
        raise ValueError("a horizon, steps, paths and a covariance that are above nothing")
    step = given * (horizon_s / steps / YEAR_S)
    values, vectors = np.linalg.eigh(step)
    if values.min() < -1e-9 * max(1e-30, abs(values).max()):
        raise ValueError("the correlations contradict each other: no prices move so together")
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    dice, half = np.random.Generator(np.random.SFC64(seed)), paths // 2
    moves = np.empty((steps, len(given), 2 * half))
    for i in range(steps):
        one = root @ dice.standard_normal((len(given), half))
        moves[i, :, :half], moves[i, :, half:] = one, -one
    moves -= np.diag(step)[None, :, None] / 2
    return Drawn(np.cumsum(moves, axis=0, out=moves), step, horizon_s / steps)


def liquidated(of: DrivenLoan, on: Drawn) -> Reached:
    """Return how probable liquidation is along the paths, bridged between their steps.

    With one price each its bridge is exact, so that one step from the beginning to the end is enough.
    """
    secured, owed = np.asarray(of.secured), np.asarray(of.owed)
    steps, _, paths = on.logs.shape
    distance = float(np.log(secured.sum() / owed.sum()))
    if distance <= 0:
        return Reached(np.ones(paths), 1.0, 0.0)
    if np.count_nonzero(secured) == 1 and np.count_nonzero(owed) == 1:
        return _found(_reached_by_a_pair(of, on, distance))
    used = (secured > 0) | (owed > 0)
    secured, owed, covariance = secured[used], owed[used], on.covariance[np.ix_(used, used)]
    kept, before = np.ones(paths), np.full(paths, distance)
    grown = of.carry * on.step_s / YEAR_S
    for i in range(steps):
        ups, downs = secured[:, None] * on.prices[i, used], owed[:, None] * on.prices[i, used]
        up, down = ups.sum(axis=0), downs.sum(axis=0)
        after = np.log(up / down) + grown * (i + 1)
        shares = ups / up - downs / down
        kept *= 1 - _crossed(before, after.copy(), (shares * (covariance @ shares)).sum(axis=0))
        before = after
    return _found(1 - kept)


def _reached_by_a_pair(of: DrivenLoan, on: Drawn, distance: float) -> Floats:
    a, b = int(np.argmax(of.secured)), int(np.argmax(of.owed))
    steps, cov = len(on.logs), on.covariance
    seconds = steps * on.step_s
    after = on.ratio(a, b) + (distance + of.carry * seconds / YEAR_S)
    variance = (cov[a, a] + cov[b, b] - 2 * cov[a, b]) * steps
    return _crossed(np.float64(distance), after, np.float64(variance))


def _crossed(before: Floats | np.float64, after: Floats, variance: Floats | np.float64) -> Floats:
    """Return how probable it is that the level lies between two points of a path. ``after`` is used up."""
    np.maximum(after, 0.0, out=after)
    after *= -2 * np.maximum(before, 0) / np.maximum(variance, 1e-300)
    return np.exp(after, out=after)


def _found(by_path: Floats) -> Reached:
    half = len(by_path) // 2
    pairs = by_path[:half] + by_path[half:]  # twice the mean of each pair
    mean = float(pairs.mean())
    return Reached(by_path, mean / 2, float(pairs.std() / np.sqrt(half) / 2))
