"""The same with jumps: how probable it is that a price that moves and jumps reaches a level. Pure.

Kou & Wang, *First passage times of a jump diffusion process* (2003): jumps come by a Poisson process, their logarithms
are double exponential. The Laplace transform of the time to a level is known in closed form by two roots of the
process's exponent; it is inverted by Abate & Whitt's Euler sum (1995).
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass, replace
from functools import lru_cache

from keeper.core.prices import Doubt
from keeper.core.risk import barrier
from keeper.core.risk.jumps import Jumps
from keeper.core.risk.series import YEAR_S
from keeper.core.risk.volatility import unknown

_TERMS, _MEANS = 28, 12
_FAR = 18.4
"""Keeps the error of the sum below 10^-8."""
_ROUNDS = 80
_REMEMBERED = 2048
"""Processes whose roots are kept, some 5 KiB each: one is asked about many distances, and its roots hang on none."""


@dataclass(frozen=True, slots=True)
class Falling:
    """A process seen from above, so that the level lies at ``distance`` upwards of its mirror image."""

    distance: float
    drift: float
    volatility: float
    a_year: float
    share_away: float
    """Share of the jumps that lead away from the level."""
    away: float
    towards: float
    """Mean sizes of the jumps, as logarithms."""


def falling(distance: float, jumps: Jumps, carry: float = 0.0) -> Falling:
    """Return the process of a price that is worth to be held: its mean return is ``carry`` a year, jumps included."""
    drift = carry - jumps.diffusion**2 / 2 - jumps.a_year * _grown(jumps)
    return Falling(distance, drift, jumps.diffusion, jumps.a_year, jumps.share_up, jumps.up, jumps.down)


def rising(distance: float, jumps: Jumps, carry: float = 0.0) -> Falling:
    """Return the process of a price that is owed: what lies above it is the level."""
    drift = jumps.diffusion**2 / 2 + jumps.a_year * _grown(jumps) + carry
    return Falling(distance, drift, jumps.diffusion, jumps.a_year, 1 - jumps.share_up, jumps.down, jumps.up)


def _grown(jumps: Jumps) -> float:
    """Return by how much a jump changes the price in the mean; sizes that have no mean are taken for nine tenths."""
    return jumps.share_up / (1 - min(0.9, jumps.up)) + (1 - jumps.share_up) / (1 + jumps.down) - 1


def reached(of: Falling, horizon_s: float) -> float | Doubt:
    """Return the probability that the level is reached within the horizon."""
    doubt = barrier.wrong(of.volatility, horizon_s)
    if doubt is not None:
        return doubt
    if not barrier.is_figure(of.drift, of.a_year, of.away, of.towards) or math.isnan(of.distance):
        return unknown("what jumps are like is no number")
    if of.distance <= 0:
        return 1.0
    if of.distance == math.inf:
        return 0.0
    if of.a_year <= 0 or of.away <= 0 or of.towards <= 0:
        return barrier.reached(of.distance, of.drift, of.volatility, horizon_s)
    return min(1.0, max(0.0, _inverted(of, horizon_s / YEAR_S)))


def _inverted(of: Falling, years: float) -> float:
    roots = _all_roots(replace(of, distance=0.0), years)

    def term(k: int) -> float:
        at = _at(k, years)
        return (_transform(of, roots[k]) / at).real * (1 - 2 * (k % 2))

    total = math.exp(_FAR / 2) / years * term(0) / 2
    sums = list[float]()
    for k in range(1, _TERMS + _MEANS + 1):
        total += math.exp(_FAR / 2) / years * term(k)
        if k >= _TERMS:
            sums.append(total)
    return math.fsum(math.comb(_MEANS, i) * s for i, s in enumerate(sums)) / 2.0**_MEANS


def _at(k: int, years: float) -> complex:
    """Return where the transform is asked for the sum's term."""
    return complex(_FAR, 2 * math.pi * k) / (2 * years)


@lru_cache(_REMEMBERED)
def _all_roots(of: Falling, years: float) -> tuple[tuple[complex, complex], ...]:
    """Return both roots for every term of the sum. They say nothing of the distance."""
    return tuple(_roots(of, _at(k, years)) for k in range(_TERMS + _MEANS + 1))


def _transform(of: Falling, roots: tuple[complex, complex]) -> complex:
    """Return E[exp(-a τ)] (Theorem 3.1 there): β₁ and β₂ are the roots with a positive real part of G(x) = a."""
    eta, (one, two) = 1 / of.towards, roots
    first = (eta - one) / eta * two / (two - one) * cmath.exp(-of.distance * one)
    return first + (two - eta) / eta * one / (two - one) * cmath.exp(-of.distance * two)


def _roots(of: Falling, at: complex) -> tuple[complex, complex]:
    """Return the two roots on the right of (½σ²x² + mx - λ - a)(η₁ - x)(η₂ + x) + λ(pη₁(η₂ + x) + qη₂(η₁ - x))."""
    half, drift, rate = of.volatility**2 / 2, -of.drift, of.a_year
    up, down, p = 1 / of.towards, 1 / of.away, 1 - of.share_away
    c = -(rate + at)
    # the product of (η₁ - x)(η₂ + x) is -x² + (η₁ - η₂) x + η₁η₂
    d, e = up - down, up * down
    jumps = rate * (p * up - (1 - p) * down), rate * (p * up * down + (1 - p) * down * up)
    raw = (-half, half * d - drift, half * e + drift * d - c, drift * e + c * d + jumps[0], c * e + jumps[1])
    found = sorted(_quartic([complex(x) for x in raw]), key=lambda root: -root.real)
    return found[1], found[0]


def _quartic(coefficients: list[complex]) -> list[complex]:
    """Return all roots at once (Durand & Kerner), the highest power first; scaled to their mean size."""
    lead = coefficients[0]
    size = abs(coefficients[4] / lead) ** 0.25 or 1.0
    monic = [c / lead / size**i for i, c in enumerate(coefficients)]
    roots = [complex(0.4, 0.9) ** i for i in range(4)]
    for _ in range(_ROUNDS):
        moved = 0.0
        for i, x in enumerate(roots):
            value = (((x + monic[1]) * x + monic[2]) * x + monic[3]) * x + monic[4]
            apart = 1 + 0j
            for j, other in enumerate(roots):
                apart *= x - other if j != i else 1
            change = value / apart
            roots[i] = x - change
            moved = max(moved, abs(change))
        if moved < 1e-13:
            break
    return [root * size for root in roots]
