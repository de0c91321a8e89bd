"""How long a request that no node answered is asked again: within the block it is about, and within reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from keeper.chain.errors import BlockMissingError, MethodMissingError, NodeBusyError, NodeError, NodeRefusedError
from keeper.chain.refusals import is_too_heavy

T = TypeVar("T")

BUSY_S: Final = 15.0
"""How long a request is asked again that a node had no time for."""
BLOCK_S: Final = (1.0, 6.0)
"""The least and the most patience with a block that its node does not have yet; between them, one block's time."""
UNCLEAR_S: Final = 1.0
"""How long a read of a new block is asked again that was refused for a reason we do not know."""
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 0.4


def for_a_block(block_time_s: float) -> float:
    """Return the patience that fits a chain's blocks."""
    return min(max(block_time_s, BLOCK_S[0]), BLOCK_S[1])


@dataclass(slots=True)
class Patience:
    """The patience with one request. ``block_s`` is that with its block: zero where it is about none that is new."""

    block_s: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _begun: float = field(init=False)
    _pause_s: float = _FIRST_PAUSE_S

    def __post_init__(self) -> None:
        """Begin now."""
        self._begun = self.clock()

    def pause_after(self, error: NodeError) -> float | None:
        """Return how long to wait before the request is made again; None when it has been asked often enough."""
        left = self._limit(error) - (self.clock() - self._begun)
        if left <= 0:
            return None
        if isinstance(error, NodeBusyError):
            # the line before the node does the waiting: see ``Pace``
            return None if error.after_s is not None and error.after_s > left else _FIRST_PAUSE_S
        pause, self._pause_s = self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return min(pause, left)

    def _limit(self, error: NodeError) -> float:
        match error:
            case NodeBusyError():
                return BUSY_S
            case BlockMissingError():
                return self.block_s
            case MethodMissingError():
                return 0.0
            case NodeRefusedError() if not error.is_final and not is_too_heavy(error.message):
                return min(self.block_s, UNCLEAR_S)
            case _:
                return 0.0


async def patiently(work: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """Return what ``work`` does, begun anew while there is patience with how it failed. Raises NodeError."""
    while True:
        try:
            return await work()
        except NodeError as error:
            pause = patience.pause_after(error)
            if pause is None:
                raise
        await asyncio.sleep(pause)
