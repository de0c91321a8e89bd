"""Which blocks are worth a line: the first, one on which something moved, and now and then one for all the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keeper.core.units import INFINITE

MOVED_PERCENT = 2
"""A health factor that moved by so much since the last line is news."""
LEAST_S = 60.0
"""Between two lines, however much moves: what the owner must know is an alarm."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What went by since the last line, the block that is logged included."""

    blocks: int
    slowest_ms: int


class Pulse:
    """Counts blocks between the lines logged of them."""

    def __init__(self, quiet_s: float, clock: Callable[[], float]) -> None:
        self._quiet_s = quiet_s
        self._clock = clock
        self._told_at: float | None = None
        self._stated: dict[str, int] = {}
        self._blocks = 0
        self._slowest_s = 0.0

    def beat(self, health: Mapping[str, int], seconds: float) -> Passed | None:
        """Count a block; return what went by when it is worth a line."""
        self._blocks += 1
        self._slowest_s = max(self._slowest_s, seconds)
        now = self._clock()
        age = None if self._told_at is None else now - self._told_at
        if age is not None and 0 <= age < (LEAST_S if self._has_moved(health) else self._quiet_s):
            return None
        passed = Passed(self._blocks, round(self._slowest_s * 1000))
        self._told_at, self._stated, self._blocks, self._slowest_s = now, dict(health), 0, 0.0
        return passed

    def _has_moved(self, health: Mapping[str, int]) -> bool:
        return health.keys() != self._stated.keys() or any(
            abs(min(value, INFINITE) - self._stated[name]) * 100 > self._stated[name] * MOVED_PERCENT
            for name, value in health.items()
        )
