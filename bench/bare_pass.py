"""What the sweep is held against: numpy alone, over every bar of every trial, by somebody who decides nothing.

``figures`` revalues each account at each bar in both orders of the extremes, interest included, and comes to the
figures that a sweep reports of a trial: least health, whether its bound was reached, time in danger, drawdown, mean
debt, mean and deviations of hourly changes. A way to keep an account adds decisions to that, and nothing else. It is
written to be fast: by pieces that stay in the cache, into arrays that are made once.

``comparison`` is less than that: one price times one number, below a bound or not, and no account is revalued.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from keeper.backtest.figures import Floats

PIECE = 4096
BOUND, DANGER, RATE, THRESHOLD = 1.25, 1.1, 0.05, 0.83
Piece = tuple[Floats, Floats, Floats]


def figures(rows: Sequence[Sequence[int]], trials: int) -> float:
    """Return the nanoseconds of a position-bar: one trial's one bar, in both orders."""
    bars = np.array(rows, np.float64)
    lows, highs, ends = (bars[:, i] / 1e8 for i in (3, 2, 4))
    growth = np.exp(RATE * (bars[:, 0] - bars[0, 0]) / (365 * 86_400))
    hour = max(1, round(3600 / (bars[1, 0] - bars[0, 0])))
    room = np.empty(PIECE), np.empty(PIECE), np.empty(PIECE)
    began = time.process_time()
    for debt in np.linspace(0.4, 0.8, trials) * 100 * lows[0]:
        for first in (lows, highs):
            _revalued(100.0, float(debt), (first, ends, growth), hour, room)
    return (time.process_time() - began) / (trials * len(bars)) * 1e9


def _revalued(collateral: float, debt: float, of: Piece, hour: int, room: Piece) -> tuple[float, ...]:
    first, ends, growth = of
    least, danger, peak, fall, owed, hourly = math.inf, 0, 0.0, 0.0, 0.0, list[Floats]()
    for begin in range(0, len(first), PIECE):
        part = slice(begin, begin + PIECE)
        a, b, c = (array[: len(growth[part])] for array in room)
        np.divide(first[part], growth[part], out=a)
        a *= collateral * THRESHOLD / debt
        least, danger = min(least, float(a.min())), danger + int(np.count_nonzero(a < DANGER))
        np.multiply(ends[part], collateral, out=a)
        np.multiply(growth[part], debt, out=b)
        owed += float(b.sum())
        a -= b
        hourly.append(a[::hour].copy())
        np.maximum.accumulate(a, out=c)
        np.maximum(c, peak, out=c)
        peak = float(c[-1])
        a /= c
        fall = max(fall, 1 - float(a.min()))
    equity = np.concatenate(hourly)
    changes = np.diff(equity) / equity[:-1]
    falls = np.minimum(changes, 0)
    ratios = float(changes.mean()), float(changes.std()), math.sqrt(float((falls * falls).mean()))
    return least, float(least < BOUND), danger, fall, owed / len(first), *ratios


def comparison(rows: Sequence[Sequence[int]], trials: int) -> float:
    """Return the nanoseconds of a position-bar: every bar's low times each trial's factor, below its bound or not."""
    lows = np.array([row[3] for row in rows], np.float64)
    began, hits = time.process_time(), 0
    for factor in np.linspace(0.5, 1.5, trials):
        for _ in range(2):
            hits += int(((lows * factor) < lows[0]).argmax())
    return (time.process_time() - began) / (trials * len(lows)) * 1e9 + hits * 0.0
