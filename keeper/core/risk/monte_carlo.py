"""Paths of several prices at once, and what loans make of them: the check on the closed forms, and the figure for many.

Prices are correlated lognormals; between two steps each path is bridged: it may have touched the level in between with
``exp(-2 a b / σ²Δt)``, a and b the logarithmic distances at both ends (Glasserman, *Monte Carlo Methods*, 6.4). One set
of paths serves every position. Needs numpy, which only those load who draw paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keeper.core.risk.series import YEAR_S

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Paths: relative prices by (step, driver, path), the covariance of a step, and the seconds of it."""

    prices: Floats
    covariance: Floats
    step_s: float


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
    return Drawn(np.exp(np.cumsum(moves, axis=0)), step, horizon_s / steps)


def liquidated(of: DrivenLoan, on: Drawn) -> Reached:
    """Return how probable liquidation is along the paths, bridged between their steps."""
    secured, owed = np.asarray(of.secured), np.asarray(of.owed)
    steps, _, paths = on.prices.shape
    kept, before = np.ones(paths), np.full(paths, np.log(secured.sum() / owed.sum()))
    if before[0] <= 0:
        return Reached(np.ones(paths), 1.0, 0.0)
    grown = of.carry * on.step_s / YEAR_S
    for i in range(steps):
        ups, downs = secured @ on.prices[i], owed @ on.prices[i]
        after = np.log(ups / downs) + grown * (i + 1)
        variance = _variance(secured, owed, on, i, ups, downs)
        crossed = np.exp(-2 * np.maximum(before, 0) * np.maximum(after, 0) / variance)
        kept *= 1 - crossed
        before = after
    found = 1 - kept
    half = paths // 2
    pairs = (found[:half] + found[half:]) / 2
    return Reached(found, float(found.mean()), float(pairs.std() / np.sqrt(len(pairs))))


def _variance(secured: Floats, owed: Floats, on: Drawn, i: int, ups: Floats, downs: Floats) -> Floats | float:
    """Return the variance of a step of the logarithm of health: exact for one price each, by shares for several."""
    if np.count_nonzero(secured) == 1 and np.count_nonzero(owed) == 1:
        weights = secured / secured.sum() - owed / owed.sum()
        return max(float(weights @ on.covariance @ weights), 1e-300)
    by_path = secured[:, None] * on.prices[i] / ups - owed[:, None] * on.prices[i] / downs
    found: Floats = np.maximum(np.einsum("ip,ij,jp->p", by_path, on.covariance, by_path), 1e-300)
    return found
