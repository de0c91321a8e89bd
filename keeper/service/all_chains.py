"""What an owner has on every chain that one keeper keeps: each engine says what it has, and hears of the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from keeper.core.exposure import OnOthers, Sums

MOST_OLD_S = 600
"""What a chain came to longer ago than this is unknown: its keeper may have ended."""
EARLY_S = 120
"""For so long after the start a chain may not have been seen without anything being wrong."""


@dataclass(slots=True)
class AllChains:
    """What each chain came to when it was last seen. One for a process; used from its event loop alone."""

    names: tuple[str, ...]
    clock: Callable[[], float]
    began: float = field(init=False)
    _seen: dict[int, tuple[float, Sums]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def seat(self, i: int) -> Seat:
        """Return where the engine of one chain speaks and hears."""
        return Seat(self, i)

    def saw(self, i: int, sums: Sums) -> None:
        """Remember what a chain comes to now."""
        self._seen[i] = self.clock(), sums

    def besides(self, i: int) -> OnOthers:
        """Return what all others came to."""
        now, others = self.clock(), [k for k in range(len(self.names)) if k != i]
        fresh = [k for k in others if k in self._seen and now - self._seen[k][0] <= MOST_OLD_S]
        unknown = tuple(self.names[k] for k in others if k not in fresh)
        return OnOthers(tuple(self._seen[k][1] for k in fresh), unknown)


@dataclass(frozen=True, slots=True)
class Seat:
    """One chain among all."""

    of: AllChains
    i: int

    def saw(self, sums: Sums) -> None:
        """Remember what this chain's positions come to now."""
        self.of.saw(self.i, sums)

    def elsewhere(self) -> OnOthers:
        """Return what the others' came to when they were last seen."""
        return self.of.besides(self.i)

    @property
    def is_early(self) -> bool:
        """Whether others may not have seen their first block yet."""
        return self.of.clock() - self.of.began < EARLY_S
