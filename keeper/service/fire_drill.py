"""The fire drill of a running keeper: once a day every rescue is rehearsed, beside the blocks and never before one.

What it found is in the journal, where ``keeper status`` and the page read it. A rescue that would fail is rehearsed
once more, on a later block, before it is an alarm; and hourly from then on: its owner soon hears that it works again.
A drill that could not be held (a node that hiccups) is held again some minutes later, before anybody hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from keeper.chain.errors import NodeError
from keeper.core.drills import Drill, Drilled, from_plain, key_of, plain
from keeper.engine.cases import cases_of
from keeper.journal import JournalError
from keeper.journal.ports import History
from keeper.service.opened import Opened
from keeper.venues.ports import ReadFailedError

AGAIN_S = 3600
"""After a drill in which a rescue failed, or that could not be held to its end."""
RETRY_S = 180.0
"""After a drill that could not be held, while nobody was alerted: what a node's hiccup takes to be over."""
RETRIES = 2
"""Drills that are put off so, one after the other, before it is an alarm."""
START_S = 30.0
"""After the first block of a start, which has enough to do."""
MOST = 100
"""Rescues that are rehearsed in one drill."""


async def last_drill(journal: History, chain_id: int, network: str) -> Drill | None:
    """Return the newest drill of a chain, of a live keeper or a dry run; None where none was held. Raises JournalError.

    It is plain data: ``keeper status`` and the page show it.
    """
    keys = [key_of(network, f"{chain_id}:{scope}") for scope in ("live", "dry_run")]
    found = [from_plain(await journal.facts.get(key)) for key in keys]
    return max((drill for drill in found if drill), key=lambda drill: drill.at, default=None)


class FireDrill:
    """Holds the drill of one engine when it is due; a block that comes meanwhile goes first."""

    def __init__(self, engine: Opened, every_s: int, start_s: float = START_S) -> None:
        self._engine = engine
        self.every_s = every_s
        self._start_s = start_s
        self._first: float | None = None
        """When the first block was judged."""
        self._key = key_of(engine.reader.network.name, engine.perps.scope)
        self._task: asyncio.Task[None] | None = None
        self._may_go = asyncio.Event()
        self.last: Drill | None = None
        """What the newest one found, as far as this process knows."""
        self._next: float | None = None
        """When the next one is due, in seconds since 1970; None while that is not known."""
        self._not_held = 0
        """Drills one after the other that could not be held to their end."""

    def pause(self) -> None:
        """A block is about to be judged: what is under way waits."""
        self._may_go.clear()

    def begin(self) -> None:
        """A block was judged: go on, or begin where it is due."""
        self._may_go.set()
        if self._is_due() and self._engine.state.seen and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._hold())
            self._task.add_done_callback(self._ended)

    def _is_due(self) -> bool:
        clock = self._engine.clock
        self._first = clock.monotonic() if self._first is None else self._first
        is_settled = clock.monotonic() - self._first >= self._start_s
        return bool(self.every_s) and is_settled and (self._next is None or clock.wall() >= self._next)

    async def settled(self) -> None:
        """Wait until what is under way is done."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Stop; it is held anew when it is due."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._could_not(str(error) or type(error).__name__)

    def _could_not(self, why: str) -> None:
        """It could not be held: again in some minutes; where that does not help it is an alarm, and again hourly."""
        self._not_held += 1
        is_put_off = self._not_held <= RETRIES
        again_s = RETRY_S if is_put_off else AGAIN_S
        self._next = self._engine.clock.wall() + again_s
        if is_put_off:
            self._engine.observer.drill_put_off(why, again_s)
        else:
            self._engine.observer.drill_failed(why, self._not_held)

    async def _hold(self) -> None:
        if self._next is None and (due := await self._remembered()) > self._engine.clock.wall():
            self._next = due
            return
        engine, begun = self._engine, self._engine.clock.wall()
        self._next = begun + AGAIN_S
        try:
            found = [one async for one in self._rehearsed()]
            drill = Drill(int(begun), engine.state.seen.block.number if engine.state.seen else 0, tuple(found))
            self.last = drill
            engine.observer.drilled(drill)
            await engine.journal.facts.set(self._key, plain(drill))
        except (NodeError, ReadFailedError, JournalError) as error:
            self._could_not(str(error))
            return
        self._not_held, self._next = 0, self._due(drill)

    async def _remembered(self) -> float:
        """Return when the next one is due by what the journal knows: a restart holds none anew. Zero: now."""
        with contextlib.suppress(JournalError):
            self.last = last = from_plain(await self._engine.journal.facts.get(self._key))
            return 0.0 if last is None else self._due(last)
        return 0.0

    def _due(self, last: Drill) -> float:
        return last.at + (min(AGAIN_S, self.every_s) if last.failing else self.every_s)

    async def _rehearsed(self) -> AsyncIterator[Drilled]:
        """Yield each rescue, rehearsed on the newest block; one that would fail, once more on a later one."""
        done = 0
        for name in list(self._engine.reader.positions):
            for index in range(self._count(name)):
                if done == MOST:
                    return
                done += 1
                one = await self._one(name, index)
                if one is not None and not one.is_well:
                    self._may_go.clear()  # until another block was judged
                    one = await self._one(name, index)
                if one is not None:
                    yield one

    def _count(self, name: str) -> int:
        seen = self._engine.state.seen
        cases = [case for case in cases_of(self._engine, seen) if case.name == name] if seen else []
        return sum(len(case.rehearsals()) for case in cases)

    async def _one(self, name: str, index: int) -> Drilled | None:
        await self._may_go.wait()
        seen = self._engine.state.seen
        cases = [case for case in cases_of(self._engine, seen) if case.name == name] if seen else []
        due = [rehearsal for case in cases for rehearsal in case.rehearsals()]
        return await due[index]() if index < len(due) else None
