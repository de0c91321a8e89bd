"""How probable it is that a price reaches a level within a time, in closed form. Pure.

The logarithm of what is watched is a Brownian motion with drift; the chance that it reaches a level is the reflection
principle's with Girsanov's factor (Karatzas & Shreve, 3.5.C; for loans without drift arXiv 2505.08100):

    P = Φ((-x - m T) / σ√T) + exp(-2 m x / σ²) Φ((-x + m T) / σ√T),   x the logarithm of the distance, m its drift

An oracle is seen at its updates only: the level then lies 0.5826 σ√Δt farther away (Broadie, Glasserman & Kou 1997).
"""

from __future__ import annotations

import math

from keeper.core.prices import Doubt
from keeper.core.risk.normal import below, log_below
from keeper.core.risk.series import YEAR_S
from keeper.core.risk.volatility import unknown

SHIFT = 0.5825971579390107
"""-ζ(1/2) / √(2π)."""
LONGEST_S = 100 * YEAR_S
_SEARCHES = 60


def is_figure(*values: float) -> bool:
    """Return whether all are numbers that can be counted with."""
    return all(math.isfinite(value) for value in values)


def wrong(volatility: float, horizon_s: float) -> Doubt | None:
    """Return why no probability can be told; None where one can."""
    if not is_figure(volatility, horizon_s):
        return unknown("volatility or horizon is no number")
    if volatility <= 0:
        return unknown("the volatility is zero: what does not move says nothing of what will")
    if horizon_s <= 0:
        return unknown(f"a horizon of {horizon_s:.0f} s is no time")
    return None


def reached(distance: float, drift: float, volatility: float, horizon_s: float) -> float | Doubt:
    """Return the probability that a level at a logarithmic ``distance`` is reached within the horizon.

    ``drift`` is the logarithm's own in a year. At a distance of zero or less it is reached.
    """
    doubt = wrong(volatility, horizon_s)
    if doubt is None and not is_figure(drift):
        doubt = unknown("the drift is no number")
    if doubt is not None:
        return doubt
    if math.isnan(distance):
        return unknown("the distance is no number")
    if distance <= 0:
        return 1.0
    if distance == math.inf:
        return 0.0
    return _reached(distance, drift, volatility, horizon_s / YEAR_S)


def _reached(x: float, drift: float, volatility: float, years: float) -> float:
    spread = volatility * math.sqrt(years)
    ended = below((-x - drift * years) / spread)
    back = -2 * drift * x / volatility**2 + log_below((-x + drift * years) / spread)
    return min(1.0, ended + math.exp(min(0.0, back)))


def farther(distance: float, volatility: float, every_s: float) -> float:
    """Return the distance that counts where the level is looked at so often only."""
    return distance + SHIFT * volatility * math.sqrt(max(0.0, every_s) / YEAR_S)


def level(probability: float, drift: float, volatility: float, horizon_s: float) -> float | Doubt:
    """Return the logarithmic distance of the level that is reached with a probability within the horizon."""
    doubt = wrong(volatility, horizon_s)
    if doubt is not None or not 0 < probability < 1:
        return doubt or unknown(f"{probability} is no probability between 0 and 1")
    years = horizon_s / YEAR_S
    near, far = 0.0, 40 * volatility * math.sqrt(years) + abs(drift) * years
    for _ in range(_SEARCHES):
        middle = (near + far) / 2
        near, far = (middle, far) if _reached(middle, drift, volatility, years) > probability else (near, middle)
    return far


def time_to(probability: float, distance: float, drift: float, volatility: float) -> float | Doubt | None:
    """Return in how many seconds the level is reached with a probability; None when not within a hundred years."""
    doubt = wrong(volatility, 1)
    if doubt is not None or not 0 < probability < 1:
        return doubt or unknown(f"{probability} is no probability between 0 and 1")
    if distance <= 0:
        return 0.0
    soon, late = 0.0, float(LONGEST_S)
    if distance == math.inf or _reached(distance, drift, volatility, late / YEAR_S) < probability:
        return None
    for _ in range(_SEARCHES):
        middle = (soon + late) / 2
        is_early = _reached(distance, drift, volatility, middle / YEAR_S) < probability
        soon, late = (middle, late) if is_early else (soon, middle)
    return late
