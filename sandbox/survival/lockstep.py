"""The keeper in lockstep: the next block comes only after it has judged the last and handed over what it sends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keeper.core.snapshot import BlockRef
from keeper.engine.engine import Engine
from keeper.engine.result import Result
from keeper.execution.lane import Lane
from keeper.service import app
from keeper.service.daemon import Daemon
from keeper.settings import load
from sandbox.survival.cells import POLL_S

PATIENCE_S = 20.0
_sleep = asyncio.sleep


class Gate:
    """Stands in the way of whoever pauses before looking at the chain again, until the next block is there."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Task[Any], asyncio.Future[None]] = {}

    async def sleep(self, seconds: float, result: Any = None) -> Any:
        """In place of `asyncio.sleep`."""
        task = asyncio.current_task()
        if seconds != POLL_S or task is None:
            return await _sleep(seconds, result)
        self._waiting[task] = waits = asyncio.get_running_loop().create_future()
        try:
            await waits
        finally:
            self._waiting.pop(task, None)
        return result

    def open(self) -> None:
        """A block came: look again."""
        for waits in list(self._waiting.values()):
            if not waits.done():
                waits.set_result(None)

    async def quiet(self, lanes: Sequence[Lane], tasks: Callable[[], Sequence[asyncio.Task[Any]]]) -> None:
        """Wait until each of the tasks has ended, or it or whoever carries its burst pauses."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while loop.time() < until:
            carried = {
                part.task
                for lane in lanes
                if lane.is_carrying and lane.is_pausing
                for part in (*lane.convoy._aboard, *lane.convoy._waiting)
            }
            if all(t.done() or t in carried or self._pauses(t) for t in tasks()):
                return
            await _sleep(0.002)

    def _pauses(self, task: asyncio.Task[Any]) -> bool:
        waits = self._waiting.get(task)
        return waits is not None and not waits.done()


class Watched(Daemon):
    """The daemon, and what it found at the newest block."""

    found: tuple[Result, ...] = ()

    async def _judge(self, head: BlockRef) -> tuple[Result, ...]:
        self.found = await super()._judge(head)
        return self.found


@dataclass
class Keeper:
    """A whole live keeper in this process, driven block by block."""

    engine: Engine
    daemon: Watched
    gate: Gate
    clock: dict[str, float] = field(default_factory=dict)

    async def judge(self, timestamp: int) -> tuple[Result, ...]:
        """Judge the newest block to its end: decided, signed, handed over, and what was mined looked at."""
        self.clock["now"] = float(timestamp)
        head = await self.engine.reader.blocks.head()
        await self.daemon.one(head)
        lanes = [executor.lane for executor in self.engine.senders.values()]
        await self.gate.quiet(lanes, self._under_way)
        self.gate.open()
        await _sleep(0)
        await self.gate.quiet(lanes, self._under_way)
        return self.daemon.found

    def _under_way(self) -> list[asyncio.Task[Any]]:
        return self.engine.state.in_flight.tasks()


@asynccontextmanager
async def keeping(config: Path) -> AsyncIterator[Keeper]:
    """Open a live keeper on these settings; its pauses and its clock are ours."""
    gate, settings = Gate(), load(config, {})
    asyncio.sleep = gate.sleep  # type: ignore[assignment]  # the one pause of a plan under way
    try:
        async with app.opened(settings, is_live=True) as engine:
            await engine.reader.blocks.check_chain()
            keeper = Keeper(engine, Watched(engine, settings), gate, {"now": 0.0})
            for executor in engine.senders.values():
                executor.lane._flight._clock = lambda: keeper.clock["now"]
            yield keeper
            for task in engine.state.in_flight.tasks():
                task.cancel()
            await asyncio.gather(*engine.state.in_flight.tasks(), return_exceptions=True)
    finally:
        asyncio.sleep = _sleep
