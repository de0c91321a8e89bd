"""GARCH(1,1), fitted by maximum likelihood (Bollerslev 1986): σ²ₜ = ω + α r²ₜ₋₁ + β σ²ₜ₋₁. Pure.

Held in tests against the package ``arch`` on the same moves. The first variance is the one that ``arch`` begins with, a
weighted mean of the first moves; the mean is zero, as it is for moves of an hour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.prices import Doubt
from keeper.core.risk.simplex import Point, least
from keeper.core.risk.volatility import unknown

LEAST = 100
"""Moves that a fit needs."""
MOST = 20_000
"""Of more the newest are fitted."""
_FIRST = 75
_FADING = 0.94
_ROUNDS = 600


@dataclass(frozen=True, slots=True)
class Garch:
    """A fit: variances are of one step."""

    omega: float
    alpha: float
    beta: float
    last: float
    """The variance forecast for the step after the last move."""
    log_likelihood: float

    @property
    def persistence(self) -> float:
        """How much of a shock is left a step later."""
        return self.alpha + self.beta

    @property
    def long_run(self) -> float:
        """The variance that forecasts return to."""
        return self.omega / (1 - self.persistence)

    def ahead(self, steps: int) -> float:
        """Return the mean variance of a step over the next ``steps``."""
        away, fading = self.last - self.long_run, self.persistence
        return self.long_run + away * (1 - fading**steps) / ((1 - fading) * steps)


def fitted(moves: Sequence[float]) -> Garch | Doubt:
    """Return the fit to moves of equal times; a Doubt where they are few, are no numbers or stand still."""
    if len(moves) < LEAST:
        return unknown(f"{len(moves)} moves, a fit needs {LEAST}")
    if not all(math.isfinite(move) for move in moves):
        return unknown("a move of the price is no number")
    squares = [move * move for move in moves[-MOST:]]
    mean = sum(squares) / len(squares)
    if mean <= 0:
        return unknown("the price never moved")
    scaled = [square / mean for square in squares]
    first = _begun(scaled)
    best = _search(scaled, first)
    omega, alpha, beta = _meant(best)
    loss, last = _loss(scaled, first, omega, alpha, beta)
    likelihood = -(loss + len(scaled) * (math.log(2 * math.pi) + math.log(mean))) / 2
    return Garch(omega * mean, alpha, beta, last * mean, likelihood)


def _search(squares: list[float], first: float) -> Point:
    def loss(point: Point) -> float:
        return _loss(squares, first, *_meant(point))[0]

    starts = ((0.05, 0.9), (0.1, 0.8), (0.2, 0.7), (0.02, 0.5))
    begin = min((_inner(1 - a - b, a, b) for a, b in starts), key=loss)
    found = least(loss, begin, 0.5, _ROUNDS)
    return least(loss, found, 0.1, _ROUNDS)  # from anew where it ended: a simplex that collapsed finds out of it


def _meant(point: Point) -> tuple[float, float, float]:
    """Return ω, α and β of free numbers: ω above zero, α and β positive and together below one."""
    persistence, part = _squeezed(point[1]), _squeezed(point[2])
    return math.exp(max(-60.0, min(30.0, point[0]))), persistence * part, persistence * (1 - part)


def _inner(omega: float, alpha: float, beta: float) -> Point:
    together = alpha + beta
    return math.log(omega), math.log(together / (1 - together)), math.log(alpha / beta)


def _squeezed(x: float) -> float:
    return 1 / (1 + math.exp(-max(-35.0, min(16.0, x))))


def _begun(squares: list[float]) -> float:
    weights = [_FADING**i for i in range(min(_FIRST, len(squares)))]
    return sum(w * s for w, s in zip(weights, squares, strict=False)) / sum(weights)


def _loss(squares: list[float], first: float, omega: float, alpha: float, beta: float) -> tuple[float, float]:
    """Return twice the negative log-likelihood, its constant left out, and the variance of the next step."""
    variance, total = omega + (alpha + beta) * first, 0.0
    log = math.log
    for square in squares:
        total += log(variance) + square / variance
        variance = omega + alpha * square + beta * variance
    return total, variance
