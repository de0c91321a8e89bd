"""Paths of prices with a known law, for what estimates them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from keeper.core.risk.series import YEAR_S, Series, series

BEGAN = 1_600_000_000


def moves(volatility: float, count: int, step_s: int, seed: int = 7) -> list[float]:
    """Return normal moves of equal times."""
    dice = random.Random(seed)
    return [dice.gauss(0.0, volatility * math.sqrt(step_s / YEAR_S)) for _ in range(count)]


def walked(given: Sequence[float], step_s: int, begin: int = 2_000 * 10**8) -> Series:
    """Return the prices that moves lead through."""
    rows, level = [(BEGAN, begin)], math.log(begin)
    for i, move in enumerate(given, 1):
        level += move
        rows.append((BEGAN + i * step_s, round(math.exp(level))))
    return series(rows)
