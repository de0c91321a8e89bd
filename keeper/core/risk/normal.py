"""The normal distribution, from the error function. Pure, and light: nothing is loaded for it."""

from __future__ import annotations

import math

_ROOT = math.sqrt(2)
_LOG_NORM = math.log(2 * math.pi) / 2


def density(x: float) -> float:
    """Return the density at ``x``."""
    return math.exp(-x * x / 2 - _LOG_NORM)


def below(x: float) -> float:
    """Return the probability of a value below ``x``."""
    return math.erfc(-x / _ROOT) / 2


def log_below(x: float) -> float:
    """Return its logarithm, also where the probability itself is no longer a float (Mills' ratio)."""
    if x > -30:
        return math.log(below(x))
    return -x * x / 2 - _LOG_NORM - math.log(-x) - 1 / (x * x)


def quantile(probability: float) -> float:
    """Return the value that is fallen below with a probability. Raises ValueError outside of 0 to 1."""
    if not 0 < probability < 1:
        raise ValueError(f"{probability} is no probability between 0 and 1")
    low, high = -40.0, 40.0
    while high - low > 1e-13 * max(1.0, abs(low)):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < probability else (low, middle)
    return (low + high) / 2
