"""How fast prices move now: by block, from the last few blocks seen. A sale is mined blocks after it was decided."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.core.units import BPS, Address, Bps

REMEMBERED = 6
"""Blocks whose prices are kept."""
SHORTEST = 2
"""Blocks of the shortest stretch: oracles answer in steps, and one step is no speed yet."""
BLOCKS = 2
"""Blocks from a decision to its transaction: prices go on moving for so long."""
MOST = Bps(5_000)
"""A faster move than half a block is taken for this: no bound would follow it."""

Readings = Mapping[Address, int]
"""What the oracle answers, by asset. Pools have no say: who moves one must not widen what we would give him."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a price falls and rises a block, basis points rounded up. One of the two is usually zero."""

    down: Bps
    up: Bps


STILL = Drift(Bps(0), Bps(0))


@dataclass(slots=True)
class Pace:
    """Prices of the last blocks. A block seen again, or one that a reorg put in another's place, counts once."""

    _seen: OrderedDict[int, Readings] = field(default_factory=OrderedDict)
    _drifts: dict[Address, Drift] | None = None
    """Of the newest block, once they were asked for."""

    def saw(self, number: int, readings: Readings) -> None:
        """Remember a block's prices; what was seen of that height or above is forgotten."""
        for later in [n for n in self._seen if n >= number]:
            del self._seen[later]
        self._seen[number], self._drifts = readings, None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def drifts(self) -> dict[Address, Drift]:
        """Return how fast each price moves: the fastest mean move a block over any stretch of some that ends now.

        A stretch is two blocks at the least: oracles answer in steps.
        """
        if self._drifts is None:
            self._drifts = self._fastest_of_each()
        return self._drifts

    def _fastest_of_each(self) -> dict[Address, Drift]:
        if not self._seen:
            return {}
        number, newest = next(reversed(self._seen.items()))
        earlier = [(number - n, readings) for n, readings in self._seen.items() if n < number]
        return {asset: _fastest(now, asset, earlier) for asset, now in newest.items()}


def _fastest(now: int, asset: Address, earlier: list[tuple[int, Readings]]) -> Drift:
    down = up = 0
    for blocks, readings in earlier:
        before = readings.get(asset, 0)
        if before > 0:
            stretch = max(SHORTEST, blocks)
            down = max(down, -(-(before - now) * BPS // (before * stretch)))
            up = max(up, -(-(now - before) * BPS // (before * stretch)))
    return Drift(Bps(min(down, MOST)), Bps(min(up, MOST)))
