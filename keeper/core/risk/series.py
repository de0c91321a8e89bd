"""A price history: what an oracle or an exchange said, checked once. Everything that is estimated rests on it.

What is no history (a price of zero, rows out of order, a time twice) is refused with its row; what is one and says
too little is a ``Doubt`` of the estimators, which is never a calm market.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

YEAR_S = 365 * 86_400
"""A year of annual figures: 365 days, for these markets never close."""
MOST_PRICE = 10**30
"""A price in 10^-8 dollars above this is a slip, or another unit."""
MOST_TIME = 10**11
"""Unix seconds beyond this are milliseconds, or nonsense."""


class BadHistoryError(ValueError):
    """A row that no price history has."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(f"row {row} {why}")
        self.row = row
        self.why = why


@dataclass(frozen=True, slots=True)
class Tick:
    """A price in 10^-8 dollars, from ``at`` on (unix seconds)."""

    at: int
    price: int


@dataclass(frozen=True, slots=True)
class Bar:
    """What was paid from ``at`` on, for so many seconds, in 10^-8 dollars."""

    at: int
    seconds: int
    open: int
    high: int
    low: int
    close: int


@dataclass(frozen=True, slots=True)
class Series:
    """Prices in the order of their times. Make one with ``series``, which checks it."""

    ticks: tuple[Tick, ...]

    @property
    def begins(self) -> int:
        """When it begins; IndexError when it is empty."""
        return self.ticks[0].at

    @property
    def ends(self) -> int:
        """When it was last added to; IndexError when it is empty."""
        return self.ticks[-1].at

    def since(self, at: int) -> Series:
        """Return what was said from a time on, and the price that held then."""
        first = bisect_right(self.ticks, at, key=lambda tick: tick.at)
        return Series(self.ticks[max(0, first - 1) :])

    def until(self, at: int) -> Series:
        """Return what was known at a time: nothing after it."""
        return Series(self.ticks[: bisect_right(self.ticks, at, key=lambda tick: tick.at)])

    def longest_gap(self, until: int) -> int:
        """Return the longest time, up to ``until``, in which nothing was said."""
        times = [*(tick.at for tick in self.ticks), until]
        return max((b - a for a, b in pairwise(times)), default=0)

    def every(self, step_s: int, until: int) -> tuple[float, ...]:
        """Return the logarithm of the price that held at each step, back from ``until`` to where it begins."""
        found, at, i = list[float](), until, len(self.ticks) - 1
        while i >= 0:
            while i >= 0 and self.ticks[i].at > at:
                i -= 1
            if i >= 0:
                found.append(math.log(self.ticks[i].price))
            at -= step_s
        return tuple(reversed(found))


def series(rows: Iterable[tuple[int, int]]) -> Series:
    """Return a history of times and prices. Raises BadHistoryError for the first row that cannot be one."""
    ticks = list[Tick]()
    for number, (at, price) in enumerate(rows, 1):
        _check(number, at, price, ticks[-1].at if ticks else None)
        ticks.append(Tick(at, price))
    return Series(tuple(ticks))


def bars(rows: Iterable[Sequence[int]], seconds: int) -> tuple[Bar, ...]:
    """Return bars of ``(at, open, high, low, close)``. Raises BadHistoryError for the first row that is no bar."""
    found = list[Bar]()
    for number, (at, first, high, low, last) in enumerate(rows, 1):
        _check(number, at, low, found[-1].at if found else None)
        if not low <= min(first, last) <= max(first, last) <= high or high >= MOST_PRICE:
            raise BadHistoryError(
                number, f"has a low of {low} and a high of {high} that do not hold {first} and {last}"
            )
        if found and at - found[-1].at < seconds:
            raise BadHistoryError(number, f"begins {at - found[-1].at} s after the one before, which lasts {seconds} s")
        found.append(Bar(at, seconds, first, high, low, last))
    return tuple(found)


def of_bars(given: Sequence[Bar]) -> Series:
    """Return the prices at which bars ended, each at the time when it did: nothing of a bar is known before."""
    return series((bar.at + bar.seconds, bar.close) for bar in given)


def _check(number: int, at: float, price: float, before: int | None) -> None:
    if not isinstance(price, int) or not 0 < price < MOST_PRICE:
        raise BadHistoryError(number, f"has a price of {price}, which is none")
    if not isinstance(at, int) or not 0 < at < MOST_TIME:
        raise BadHistoryError(number, f"has the time {at}, which is no number of seconds since 1970")
    if before is not None and at <= before:
        what = "the same time as" if at == before else f"a time {before - at} s before"
        raise BadHistoryError(number, f"has {what} the row before: a history is in order, and has each time once")
