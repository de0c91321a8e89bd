"""How much a price will move over a time to come: forecasters, which rules that look ahead may use. Pure.

A forecaster is given what was said until now and nothing later. It answers with a volatility of a year, or a ``Doubt``.
Each is scored out of sample in ``docs/evidence.md``; one of the owner's own is a callable of times, prices, now and
horizon, and what it answers is believed no further than any other: nonsense and errors are a ``Doubt``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from keeper.core.prices import Doubt
from keeper.core.risk import garch
from keeper.core.risk.series import YEAR_S, Series
from keeper.core.risk.volatility import ewma, known, realised, unknown
from keeper.core.units import DAY_S, HOUR_S

Forecaster = Callable[[Series, int, int, int], "float | Doubt"]
"""Of a history until ``now``, for a horizon (seconds), where the source may be silent for ``quiet_s``."""
Own = Callable[[Sequence[int], Sequence[float], int, int], float]
"""An owner's: times, prices, now, horizon → volatility of a year."""
HALF_LIFE_S = DAY_S
CALM_S = 7 * DAY_S
MOST = 50.0
"""A volatility of 5,000 % is no forecast."""
LEAST_DAYS, MOST_DAYS, WEEK = 12, 60, 5


def usual(history: Series, now: int, horizon_s: int, quiet_s: int = 0) -> float | Doubt:
    """Return the larger of a mean with a half-life of a day and that of the week: no calm day makes a calm market.

    A history that is younger than a week has only the first; one of a week with a gap of days in it has none.
    """
    del horizon_s
    recent, week = ewma(history, HALF_LIFE_S, now, quiet_s), realised(history, CALM_S, now, quiet_s)
    if isinstance(recent, Doubt):
        return recent
    if isinstance(week, Doubt):  # a young history is its day's; one with a gap of days in its week says nothing
        return week if history.begins <= now - CALM_S else recent
    return max(recent, week)


def fading(history: Series, now: int, horizon_s: int, quiet_s: int = 0) -> float | Doubt:
    """Return the mean that fades by half each day (RiskMetrics 1996)."""
    del horizon_s
    return ewma(history, HALF_LIFE_S, now, quiet_s)


def har(history: Series, now: int, horizon_s: int, quiet_s: int = 0) -> float | Doubt:
    """Return what day, week and month say of tomorrow (Corsi 2009), in logarithms, by least squares on the past."""
    del horizon_s
    days = [realised(history, DAY_S, now - i * DAY_S, quiet_s) for i in range(MOST_DAYS)]
    logs = list[float]()
    for one in days:
        if isinstance(one, Doubt):
            break
        logs.append(math.log(one))
    if len(logs) < LEAST_DAYS + WEEK:
        return unknown(f"the volatility of {len(logs)} days is known, {LEAST_DAYS + WEEK} are needed")
    logs.reverse()
    rows = [_seen(logs, i) for i in range(WEEK, len(logs))]
    wanted = np.array(logs[WEEK:])
    found, *_ = np.linalg.lstsq(np.array(rows), wanted, rcond=None)
    errors = wanted - np.array(rows) @ found
    said = float(np.array(_seen(logs, len(logs))) @ found) + float(errors.var()) / 2
    return known(math.exp(2 * max(min(said, math.log(MOST)), min(logs) - 1)))


def _seen(logs: Sequence[float], until: int) -> list[float]:
    """Return what is known before a day: one, the day before it, the mean of the week and of all."""
    return [1.0, logs[until - 1], sum(logs[until - WEEK : until]) / WEEK, sum(logs[:until]) / until]


def garch_hourly(history: Series, now: int, horizon_s: int, quiet_s: int = 0) -> float | Doubt:
    """Return the mean variance of the horizon's hours by GARCH(1,1), fitted to hourly moves."""
    doubt = ewma(history, HALF_LIFE_S, now, quiet_s)
    if isinstance(doubt, Doubt):
        return doubt
    moves = [b - a for a, b in pairwise(history.until(now).every(HOUR_S, now))]
    found = garch.fitted(moves)
    if isinstance(found, Doubt):
        return found
    return known(found.ahead(max(1, horizon_s // HOUR_S)) * YEAR_S / HOUR_S)


FORECASTERS: Mapping[str, Forecaster] = {"usual": usual, "ewma": fading, "har": har, "garch": garch_hourly}


def of_own(own: Own) -> Forecaster:
    """Return an owner's callable as a forecaster: it sees nothing later than now, and its nonsense is a Doubt."""

    def forecast(history: Series, now: int, horizon_s: int, quiet_s: int = 0) -> float | Doubt:
        seen = history.until(now)
        doubt = ewma(seen, HALF_LIFE_S, now, quiet_s)
        if isinstance(doubt, Doubt):
            return doubt  # too little is known of the prices themselves
        times, prices = [tick.at for tick in seen.ticks], [tick.price / 10**8 for tick in seen.ticks]
        try:
            found = float(own(times, prices, now, horizon_s))
        except Exception as error:  # noqa: BLE001 - somebody else's code: whatever it raises, nothing is known
            return unknown(f"the forecaster failed: {type(error).__name__} {error}")
        return found if 0 < found <= MOST else unknown(f"the forecaster says {found}, which is no volatility")

    return forecast
