"""How fast a node may be asked: what the owner set, or less where the node says so. Requests wait for their turn.

A node bounds requests by a window that slides. How many it granted within a second before it refused one is what it
grants; that is believed, and dared a quarter more every ten seconds. What it wants us to wait is waited, within reason.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from keeper.chain.errors import NodeBusyError

SPAN_S: Final = 1.1
"""A node's second, with a margin for requests that overtake each other on their way."""
LONGEST_S: Final = 60.0
"""However long a node wants us to wait: so long it is not asked."""
TURN_S: Final = 10.0
"""How long a request may stand in line. One that would have to wait longer fails at once."""
PAUSES_S: Final = (0.25, 4.0)
"""The first and the longest pause after a refusal that says no time."""
DARE_EVERY_S: Final = 10.0
DARE: Final = 1.25
LEAST: Final = 1.0
"""Requests a second below which nothing is learned: whoever says that he grants less would blind us with a word."""
AMPLE: Final = 1000.0
"""Requests a second above which what was learned is no limit."""


class RequestPace:
    """The line before one node. ``most`` is what the owner allows a second; None leaves it to what is learned."""

    def __init__(self, most: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._learned: float | None = None
        self._learned_at = 0.0
        self._sent = deque[float]()
        self._granted = deque[float]()
        self._closed_at = self._closed_until = float("-inf")
        self._refusals = 0
        self._urgent = 0
        """How many sends stand in line: reads let them pass."""

    @property
    def allowed(self) -> float | None:
        """Requests a second that may be made now, None while there is no limit."""
        return min((a for a in (self._most, self._dared()) if a is not None), default=None)

    def wait_s(self) -> float:
        """Return how long a request would have to wait now."""
        now = self._clock()
        wait = self._closed_until - now
        allowed = self.allowed
        if allowed is not None:
            count = max(1, int(allowed))
            span = SPAN_S * count / allowed
            self._forget(now - max(span, SPAN_S))
            if len(self._sent) >= count:
                wait = max(wait, self._sent[-count] + span - now)
        return max(0.0, wait)

    async def turn(self, node: str, method: str, *, is_urgent: bool = False) -> float:
        """Wait for a request's turn, and return when it was. Raises NodeBusyError when that would take too long."""
        deadline = self._clock() + TURN_S
        self._urgent += is_urgent
        try:
            while (wait := self.wait_s()) > 0 or (self._urgent and not is_urgent):
                if self._clock() + wait > deadline:
                    raise NodeBusyError(node, method, f"is not to be asked for {wait:.1f} s", wait)
                await asyncio.sleep(max(wait, 0.005))
        finally:
            self._urgent -= is_urgent
        now = self._clock()
        self._forget(now - SPAN_S)
        self._sent.append(now)
        return now

    def granted(self, sent: float) -> None:
        """Learn that a request was not refused."""
        self._granted.append(sent)
        self._refusals = 0 if sent > self._closed_at else self._refusals
        if self._learned is not None and sent <= self._closed_at:
            # of the burst that was refused in part: more of it was granted than had been answered by then
            self._learned = max(self._learned, self._within_a_second(sent))

    def refused(self, sent: float, error: NodeBusyError) -> None:
        """Learn from a request that was too much."""
        now = self._clock()
        if sent > self._closed_at:
            self._refusals += 1
            self._closed_at = now
            stated = error.allowed or self._within_a_second(sent)
            if stated:
                self._learned, self._learned_at = max(LEAST, stated), now
        pause = (
            min(PAUSES_S[1], PAUSES_S[0] * 2.0 ** min(self._refusals - 1, 8))
            if error.after_s is None
            else error.after_s
        )
        self._closed_until = max(self._closed_until, now + min(pause, LONGEST_S))

    def _dared(self) -> float | None:
        if self._learned is None:
            return None
        dared: float = self._learned * DARE ** int((self._clock() - self._learned_at) / DARE_EVERY_S)
        if dared > AMPLE:
            self._learned = None
        return dared if self._learned else None

    def _within_a_second(self, sent: float) -> float:
        return float(sum(sent - 1 < at <= sent + 0.05 for at in self._granted))

    def _forget(self, before: float) -> None:
        while self._sent and self._sent[0] < before:
            self._sent.popleft()
        while self._granted and self._granted[0] < before - 1:
            self._granted.popleft()
