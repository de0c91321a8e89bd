"""What a lane does beside plans: one thing at a time, and whoever has a plan goes first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Sideline:
    """Holds one task. A plan ends it where it is: what it had written down is pending, and gives its nonces up."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it is at work, or waits for a signature."""
        return self._task is not None and not self._task.done()

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin something; nothing else may be under way."""
        self._task = asyncio.create_task(work)
        return self._task

    async def give_way(self) -> None:
        """End it, unless it is what asks: it may send as well."""
        task = self._task
        if task is None or task.done() or task is asyncio.current_task():
            return
        task.cancel()
        await asyncio.wait([task])
