"""Whether a node that failed is an outage, which its owner hears of, or one hiccup, which is in the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LASTS_S = 3.0
"""An outage has lasted for so long, or failed so many tries in a row, or comes again within so short a time."""
TRIES = 3
AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Blindness:
    """That nothing is watched now: what its alarm says. The page, the terminal and the alarm go by this one."""

    title: str
    detail: str


class Outage:
    """The failures of one chain's nodes since the last judged block, and when there was one before. Asks nobody."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None
        self._before: float | None = None
        """When the failure before this one began."""

    def again(self, attempt: int) -> bool:
        """A try failed: return whether that is more than a hiccup."""
        now = self._clock()
        if self._since is None or now < self._since:  # a clock that was put back
            self._since = now
        is_back_soon = self._before is not None and 0 <= self._since - self._before < AGAIN_S
        return attempt >= TRIES or now - self._since >= LASTS_S or is_back_soon

    def over(self) -> None:
        """A block was judged."""
        self._before, self._since = (self._before if self._since is None else self._since), None
