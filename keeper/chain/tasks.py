"""Asking several nodes at once, without waiting for the slowest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from keeper.chain.errors import NodeError

T = TypeVar("T")

GRACE_S = 0.2
"""How long the other nodes are waited for once one has answered."""
HEDGE_S = 2.0
"""How long one node is waited for where another could answer, or where its silence is no answer either."""


class Tasks:
    """Requests under way. Those nobody waits for any more go on, and leave their mark on the node's record."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T | NodeError]:
        """Start a request; a NodeError is its result."""
        task = asyncio.create_task(_settled(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def close(self) -> None:
        """Stop whatever still goes on."""
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def first_and_grace(
    tasks: Iterable[asyncio.Task[T | NodeError]],
    grace_s: float,
    is_good: Callable[[T | NodeError], bool] = lambda outcome: not isinstance(outcome, NodeError),
) -> None:
    """Wait for a good outcome, then ``grace_s`` more for the others; for all when none is good. Cancels nothing."""
    waiting = {task for task in tasks if not task.done()}
    is_found = any(is_good(task.result()) for task in tasks if task.done())
    while waiting and not is_found:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        is_found = any(is_good(task.result()) for task in done)
    if waiting:
        await asyncio.wait(waiting, timeout=grace_s)


async def at_most(tasks: Iterable[asyncio.Task[Any]], limit_s: float) -> None:
    """Wait for all, but not for longer than ``limit_s``. Cancels nothing."""
    if waiting := {task for task in tasks if not task.done()}:
        await asyncio.wait(waiting, timeout=limit_s)


async def _settled(work: Coroutine[Any, Any, T]) -> T | NodeError:
    try:
        return await work
    except NodeError as error:
        return error
