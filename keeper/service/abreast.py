"""Work for several accounts side by side: a block waits a little for it, and never for a signer that is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from keeper.core.units import Address
from keeper.engine.engine import Engine
from keeper.execution.lane import Lane

PATIENCE_S = 1.0
"""How long a block waits for what usually takes milliseconds. Past that it goes on, and the other accounts with it."""
SETTLING = "what an earlier plan left"
"""Named in the place of a position where an account is busy with it."""


class Abreast:
    """One task an account. What went wrong in any is raised to whoever waits next."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tasks = dict[asyncio.Task[None], Address]()

    def begin(self, work: Coroutine[Any, Any, None], account: Address) -> None:
        """Begin what has to be done before anything new is decided for an account: it is busy until then."""
        task = asyncio.create_task(work)
        self._engine.state.in_flight.begin(account, SETTLING, task)
        task.add_done_callback(self._engine.state.landed)
        self._tasks[task] = account

    def begin_aside(self, work: Coroutine[Any, Any, None], lane: Lane) -> None:
        """Begin what any plan of the account goes before."""
        self._tasks[lane.sideline.begin(work)] = lane.holder.address

    async def wait(self, within_s: float | None) -> None:
        """Wait so long at most (None: until all have ended), and raise what went wrong first."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        ended = [task for task in self._tasks if task.done()]
        self._tasks = {task: account for task, account in self._tasks.items() if not task.done()}
        for error in [task.exception() for task in ended if not task.cancelled()]:
            if error is not None:
                raise error

    @property
    def at_work(self) -> frozenset[Address]:
        """The accounts for which something has not ended."""
        return frozenset(account for task, account in self._tasks.items() if not task.done())

    async def close(self) -> None:
        """End all: what was written down is in the journal, and the next start goes on from there."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks.clear()
