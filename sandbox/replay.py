"""Plays a price history into a running world: feeds follow the file, chain time runs `speed` times wall time.

Under interval mining a block comes every `block_time` wall seconds and is `block_time · speed` chain seconds later
than the one before; before each block the feeds get the path's price at that time (of several points passed since
the last block, the one furthest from the last price, so that no low is lost). Under automine every point of the path
is a block of its own at its own time. Every update refreshes all feeds, so none grows stale.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.bars import Point, in_small_steps, scaled_to
from sandbox.errors import SandboxError
from sandbox.world import World

PRICE_PLACES = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a replay is: chain seconds since its start, of how many, and the leading price."""

    elapsed_s: int
    total_s: int
    price: Decimal

    def __str__(self) -> str:
        share = self.elapsed_s / self.total_s if self.total_s else 1
        return f"{share:4.0%}  {self.elapsed_s / 3600:6.1f} of {self.total_s / 3600:.1f} h  {self.price:.2f}"


@dataclass
class Replay:
    """One history against one world. `betas` moves other symbols by (symbol's move)^beta, e.g. {"WBTC": 0.8}.

    `speed` is chain seconds per wall second. `run` blocks until the end or until `stop` is called from elsewhere.
    """

    world: World
    points: Sequence[Point]
    speed: float
    symbol: str = "WETH"
    betas: Mapping[str, float] = field(default_factory=dict)
    scale_to_start: bool = False
    on_progress: Callable[[Progress], None] | None = None
    leave: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise SandboxError("the speed must be above zero")
        if unknown := {self.symbol, *self.betas} - self.world.addresses["feeds"].keys():
            raise SandboxError(f"no feed of its own for {', '.join(sorted(unknown))}")
        self._first = {s: p for s, p in self.world.prices().items() if s in self.world.addresses["feeds"]}
        points = scaled_to(self.points, self._first[self.symbol]) if self.scale_to_start else self.points
        self._path = in_small_steps(points)

    def stop(self) -> None:
        self.leave.set()

    def run(self) -> None:
        interval_before = self.world.timestamp_interval
        try:
            if self.world.block_time:
                self._run_with_blocks(self.world.block_time)
            else:
                self._run_block_by_block()
        finally:
            self.world.set_timestamp_interval(interval_before)

    def _run_with_blocks(self, block_time: float) -> None:
        interval = max(1, round(block_time * self.speed))
        self.world.set_timestamp_interval(interval)
        began, index, price = self.world.now, -1, self._path[0].price
        while not self.leave.is_set() and index < len(self._path) - 1:
            now = self.world.now
            reached = self._index_at(now - began + interval, index)
            price = self._furthest(index, reached, price)
            index = reached
            self._post(price, now - began + interval)  # returns when its block is there

    def _run_block_by_block(self) -> None:
        self.world.set_timestamp_interval(1)
        began, wall = self.world.now + 1, time.monotonic()
        for point in self._path:
            elapsed = point.timestamp - self._path[0].timestamp
            if self.leave.wait(max(0.0, wall + elapsed / self.speed - time.monotonic())):
                return
            self.world.set_next_timestamp(max(began + elapsed, self.world.now + 1))
            self._post(point.price, elapsed)

    def _index_at(self, elapsed_s: int, index: int) -> int:
        """The last point of the path that lies within `elapsed_s` of its start."""
        start = self._path[0].timestamp
        while index + 1 < len(self._path) and self._path[index + 1].timestamp - start <= elapsed_s:
            index += 1
        return max(index, 0)

    def _furthest(self, index: int, reached: int, price: Decimal) -> Decimal:
        passed = [p.price for p in self._path[index + 1 : reached + 1]]
        if reached == len(self._path) - 1:
            return self._path[-1].price
        return max(passed, key=lambda p: abs(p - price), default=price)

    def _post(self, price: Decimal, elapsed_s: int) -> None:
        """One transaction that updates every feed."""
        move = float(price / self._first[self.symbol])
        prices = dict(self._first)
        for symbol, beta in self.betas.items():
            prices[symbol] = self._first[symbol] * Decimal(move**beta)
        prices[self.symbol] = price
        self.world.set_prices({s: p.quantize(PRICE_PLACES) for s, p in prices.items()})
        if self.on_progress is not None:
            total = self._path[-1].timestamp - self._path[0].timestamp
            self.on_progress(Progress(min(elapsed_s, total), total, price))


def show_progress(progress: Progress) -> None:
    """One line that is rewritten in a terminal; in a file, a line per tenth of the way."""
    if sys.stdout.isatty():
        print(f"\r{progress}\x1b[K", end="", flush=True)
        return
    tenth = progress.elapsed_s * 10 // max(progress.total_s, 1)
    if tenth != getattr(show_progress, "tenth", None):
        show_progress.tenth = tenth  # type: ignore[attr-defined]
        print(progress, flush=True)
