"""The fake behind the engine's price movements: the oracle's own rounds, up to the block that is played."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keeper.backtest.course import PriceCourse
from keeper.core.block import BlockRef
from keeper.core.risk.forecast import Forecaster, usual
from keeper.core.risk.market import MOST_S, Market, Source, market
from keeper.core.risk.series import Series, Tick
from keeper.core.units import Address, Bps
from keeper.venues.ports import PriceFeed

LATE = Bps(12_500)
"""A feed may be late by so much of its heartbeat before its silence is a gap."""


@dataclass(slots=True)
class CourseMovements:
    """Measured anew every so many seconds; between two measures the older one holds, as in the daemon."""

    course: PriceCourse
    drivers: Mapping[Address, str]
    """By asset: the symbol of the file that its price follows."""
    heartbeat_s: int
    every_s: int
    still: Mapping[Address, int] = field(default_factory=dict)
    """Assets without a file, and the price at which they stand."""
    forecast: Forecaster = usual
    waits: bool = True
    _known: Market | None = None
    ticks: dict[str, tuple[list[int], list[Tick]]] = field(default_factory=dict)
    """What each file and each price that stands still said, made once for all accounts of a course."""
    measured: dict[int, Market] | None = None
    """Measures by time without their histories, shared by accounts that are played on one course."""

    async def now(self, block: BlockRef, listings: Mapping[Address, PriceFeed]) -> Market | None:
        """Return the newest measure."""
        return self.known_at(block.timestamp)

    def known_at(self, at: int) -> Market:
        """Return the measure that holds at a time."""
        due = at - at % self.every_s
        if self._known is None or self._known.at != due:
            shared = self.measured if self.measured is not None else {}
            if due not in shared:
                shared[due] = _without_histories(self.measure(due))
            self._known = self._with_histories(shared[due])
        return self._known

    def next_after(self, at: int) -> int:
        """Return when the next measure is made."""
        return at - at % self.every_s + self.every_s

    def measure(self, at: int) -> Market:
        """Return how prices moved until a time: nothing that was said later counts."""
        quiet = self.heartbeat_s * LATE // 10_000
        sources = {name: Source(history, quiet, name) for name, history in self._histories(at).items()}
        names = {asset: _still(asset) for asset in self.still}
        return market(sources, {**self.drivers, **names}, at, self.forecast)

    def _histories(self, at: int) -> dict[str, Series]:
        found = {symbol: self._history(symbol, at) for symbol in set(self.drivers.values())}
        return found | {_still(asset): self._beats(asset, price, at) for asset, price in self.still.items()}

    def _with_histories(self, of: Market) -> Market:
        """Return a measure as it was made: its histories are a part of what all measures share."""
        known = self._histories(of.at)
        return replace(of, movements={name: replace(m, history=known[name]) for name, m in of.movements.items()})

    def _history(self, symbol: str, at: int) -> Series:
        if symbol not in self.ticks:
            self.ticks[symbol] = _rounds(self.course, symbol)
        times, ticks = self.ticks[symbol]
        begin = max(0, bisect_right(times, at - MOST_S) - 1)
        return Series(tuple(ticks[begin : bisect_right(times, at)]))

    def _beats(self, asset: Address, price: int, at: int) -> Series:
        """Return what a price that stands still said at each heartbeat until a time."""
        phase = (at - MOST_S) % self.heartbeat_s
        key = f"{_still(asset)} from {phase} on"
        if key not in self.ticks:
            first = self.course.begins - MOST_S
            first += (phase - first) % self.heartbeat_s - self.heartbeat_s
            times = list(range(first, self.course.ends + self.heartbeat_s, self.heartbeat_s))
            self.ticks[key] = times, [Tick(beat, price) for beat in times]
        times, ticks = self.ticks[key]
        return Series(tuple(ticks[bisect_left(times, at - MOST_S) : bisect_right(times, at)]))


def _without_histories(of: Market) -> Market:
    """Return a measure that keeps no month of prices alive: a year has thousands of measures."""
    return replace(of, movements={name: replace(m, history=Series(())) for name, m in of.movements.items()})


def _still(asset: Address) -> str:
    return f"{asset} stands still"


def _rounds(course: PriceCourse, symbol: str) -> tuple[list[int], list[Tick]]:
    """Return every answer of one oracle once, by the block it holds from."""
    column = course.symbols.index(symbol)
    ticks, before = list[Tick](), 0
    for at, answer, updated in zip(
        course.at.tolist(), course.answers[:, column].tolist(), course.updated[:, column].tolist(), strict=True
    ):
        if updated != before:
            ticks.append(Tick(at, answer))
            before = updated
    return [tick.at for tick in ticks], ticks
