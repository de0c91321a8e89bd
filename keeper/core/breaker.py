"""A circuit breaker: after a move of a set size in a set time nothing is sold and no leverage added for a while. Pure.

Such a move may be a broken feed, an attack, or an hour in which no sale finds a fair price. It is a ``Doubt`` about the
asset: trades of it are forbidden, while top-ups, repayments and alerts go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import BPS, Address, Bps, duration

MOST_KEPT = 10_000
"""Prices of one asset that are kept."""


@dataclass(frozen=True, slots=True)
class BreakerTerms:
    """A move by a share within a time suspends trades for a time."""

    move: Bps
    within_s: int
    pause_s: int


@dataclass(slots=True)
class Breaker:
    """What prices were, and which of them moved too far. ``tripped`` outlives a restart: see ``plain``."""

    terms: BreakerTerms
    tripped: dict[Address, tuple[int, int]] = field(default_factory=dict)
    """By asset: when it last moved too far, and by how many basis points."""
    _seen: dict[Address, deque[tuple[int, int]]] = field(default_factory=dict)

    def saw(self, now: int, prices: Mapping[Address, int]) -> bool:
        """Remember the oracle's prices of a block; return whether one of them has moved too far now."""
        news = False
        for asset, price in prices.items():
            if price <= 0:
                continue  # no price is a doubt of its own
            moved = self._moved(asset, now, price)
            if moved >= self.terms.move:
                before = self.tripped.get(asset)
                news |= before is None or now - before[0] >= self.terms.pause_s
                self.tripped[asset] = now, moved
            self._keep(asset, now, price)
        return news

    def doubt(self, asset: Address, now: int, price: int) -> Doubt | None:
        """Return why an asset may not be traded at a price of now; None where nothing speaks against it."""
        moved, at = self._moved(asset, now, price), now
        if moved < self.terms.move:
            at, moved = self.tripped.get(asset, (0, 0))
            if not moved or not 0 <= now - at < self.terms.pause_s:
                return None
        left = duration(self.terms.pause_s - (now - at))
        what = f"moved {moved / 100:.1f} % within {duration(self.terms.within_s)}; trades rest for {left}"
        return Doubt(Reason.BREAKER_TRIPPED, what)

    def _keep(self, asset: Address, now: int, price: int) -> None:
        """Remember a price from now on: an answer holds until the next, so that one that stays is kept once."""
        seen = self._seen.setdefault(asset, deque(maxlen=MOST_KEPT))
        while seen and seen[-1][0] > now:
            seen.pop()  # of a block that a reorg took back
        if not seen or seen[-1][1] != price:
            seen.append((now, price))
        while len(seen) > 1 and seen[1][0] <= now - self.terms.within_s:
            seen.popleft()

    def _moved(self, asset: Address, now: int, price: int) -> int:
        """Return by how much a price is away from any that held within the time, basis points of that."""
        seen = self._seen.get(asset, ())
        held = [was for (at, was), until in zip(seen, self._ends(asset, now), strict=True) if at <= now < until]
        return max((abs(price - was) * BPS // was for was in held), default=0)

    def _ends(self, asset: Address, now: int) -> list[int]:
        """Return until when each price counts: until the next was there, and so long after that."""
        times = [at for at, _ in self._seen.get(asset, ())]
        return [at + self.terms.within_s for at in times[1:]] + [now + 1] * bool(times)

    @property
    def plain(self) -> dict[str, list[int]]:
        """What is written down of it."""
        return {asset: [at, moved] for asset, (at, moved) in self.tripped.items()}

    def recall(self, plain: object) -> None:
        """Take up what was written down; what cannot be read trips nothing."""
        for asset, found in plain.items() if isinstance(plain, dict) else ():
            if isinstance(found, list) and len(found) == 2 and all(isinstance(x, int) for x in found):
                self.tripped.setdefault(Address(str(asset)), (found[0], found[1]))
