"""How much a price moves, as a share of itself in a year. Each estimator names its source. Pure.

An estimate is a float above zero, or a ``Doubt``: too few prices, a gap, a price that never moved. None of these is a
calm market.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.risk.series import YEAR_S, Bar, Series
from keeper.core.units import DAY_S, HOUR_S, duration

LEAST = 8
"""Moves of a price that an estimate needs."""
HORIZONS = (HOUR_S * 6, DAY_S, 7 * DAY_S, 30 * DAY_S)
"""Windows that volatility is shown over."""


def unknown(why: str) -> Doubt:
    """Return that a figure is not known, and why."""
    return Doubt(Reason.HISTORY_SHORT, why)


def covered(history: Series, window_s: int, now: int, quiet_s: int = 0) -> Doubt | None:
    """Return what is wrong with a history for a window that ends now; None where it covers it.

    A gap of a quarter of the window is a doubt, unless the source may be silent for ``quiet_s``.
    """
    if window_s <= 0:
        return unknown(f"a window of {window_s} s holds nothing")
    if not history.ticks or history.begins > now:
        return unknown("no price was seen")
    if now - history.begins < window_s:
        return unknown(f"prices of {duration(now - history.begins)} are known, {duration(window_s)} are needed")
    gap = history.until(now).since(now - window_s).longest_gap(now)
    if gap > max(window_s // 4, quiet_s, 1):
        return unknown(f"nothing was seen for {duration(gap)} of {duration(window_s)}")
    return None


def realised(history: Series, window_s: int, now: int, quiet_s: int = 0) -> float | Doubt:
    """Return the root of the squared moves of the window over its time (Andersen & Bollerslev 1998, realised variance).

    Rounds come when the price moves, so each counts with the time that it took.
    """
    doubt = covered(history, window_s, now, quiet_s)
    if doubt is not None:
        return doubt
    seen = history.until(now).since(now - window_s)
    moves = log_moves(seen)
    if len(moves) < LEAST:
        return unknown(f"{len(moves)} moves of the price were seen in {duration(window_s)}, {LEAST} are needed")
    # the price that held when the window began is older than it: its first move is the window's
    return known(sum(move * move for move in moves) * YEAR_S / (now - max(seen.begins, now - window_s)))


def realised_at(history: Series, now: int, horizons: Sequence[int] = HORIZONS) -> Mapping[int, float | Doubt]:
    """Return the realised volatility over each window."""
    return {window_s: realised(history, window_s, now) for window_s in horizons}


def parkinson(given: Sequence[Bar]) -> float | Doubt:
    """Return the volatility by the ranges of bars (Parkinson 1980): mean of ln(H/L)² / (4 ln 2)."""
    if len(given) < LEAST:
        return unknown(f"{len(given)} bars, {LEAST} are needed")
    total = sum(math.log(bar.high / bar.low) ** 2 for bar in given) / (4 * math.log(2))
    return known(total * YEAR_S / sum(bar.seconds for bar in given))


def garman_klass(given: Sequence[Bar]) -> float | Doubt:
    """Return the volatility by range and body (Garman & Klass 1980): ½ ln(H/L)² − (2 ln 2 − 1) ln(C/O)²."""
    if len(given) < LEAST:
        return unknown(f"{len(given)} bars, {LEAST} are needed")
    body = 2 * math.log(2) - 1
    parts = (math.log(bar.high / bar.low) ** 2 / 2 - body * math.log(bar.close / bar.open) ** 2 for bar in given)
    return known(sum(parts) * YEAR_S / sum(bar.seconds for bar in given))


def ewma(history: Series, half_life_s: int, now: int, quiet_s: int = 0) -> float | Doubt:
    """Return the volatility with what is older counting less: by half every half-life (RiskMetrics 1996).

    For moves of equal times this is RiskMetrics' recursion with λ = 2^(-step / half-life), begun at its mean.
    """
    doubt = covered(history, half_life_s, now, quiet_s)
    if doubt is not None:
        return doubt
    squares = times = 0.0
    seen = history.until(now).ticks
    moved = 0
    for before, after in pairwise(seen):
        weight = 0.5 ** ((now - after.at) / half_life_s)
        move = math.log(after.price / before.price)
        squares += weight * move * move
        times += weight * (after.at - before.at)
        moved += move != 0
    if moved < LEAST:
        return unknown(f"{moved} moves of the price were seen, {LEAST} are needed")
    return known(squares / (times + max(0, now - seen[-1].at)) * YEAR_S)


def volatility_of_volatility(history: Series, now: int, days: int = 30) -> float | Doubt:
    """Return how much daily volatility itself moves, a year: deviation of its logarithm's daily change × √365.

    The measure of Corsi, Mittnik, Pigorsch & Pigorsch (2008), from realised volatility of whole days.
    """
    found = [realised(history, DAY_S, now - day * DAY_S) for day in reversed(range(days))]
    known_days = [v for v in found if not isinstance(v, Doubt)]
    if len(known_days) < max(LEAST, days * 3 // 4):
        return unknown(f"the volatility of {len(known_days)} of {days} days is known")
    changes = [math.log(b / a) for a, b in pairwise(known_days)]
    mean = sum(changes) / len(changes)
    return known(sum((c - mean) ** 2 for c in changes) / (len(changes) - 1) * YEAR_S / DAY_S)


def log_moves(history: Series) -> tuple[float, ...]:
    """Return the logarithm of each price over the one before."""
    return tuple(math.log(after.price / before.price) for before, after in pairwise(history.ticks))


def known(variance: float) -> float | Doubt:
    """Return the root of a yearly variance; a Doubt where the price never moved or the figure is none."""
    if not math.isfinite(variance):
        return unknown("the volatility is no number")
    if variance <= 0:
        return unknown("the price never moved: a feed that stands still says nothing of its market")
    return math.sqrt(variance)
