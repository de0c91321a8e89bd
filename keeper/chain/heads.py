"""The newest head to go by, of several nodes: all are asked side by side, and the rules of ``health`` choose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from keeper.chain import health
from keeper.chain.errors import NodeAwayError, NodeError, NodesDisagreeError, WrongChainError
from keeper.chain.health import Aside, Handed
from keeper.chain.member import Clock, Member
from keeper.chain.pins import Pins
from keeper.chain.pushes import Header
from keeper.chain.tasks import GRACE_S, HEDGE_S, Tasks, at_most, first_and_grace

_HEAD = "eth_getBlockByNumber"


class Heads:
    """Heads handed out, never backwards; and with them which nodes are healthy: those not too far behind."""

    def __init__(self, readers: Sequence[Member], max_lag_blocks: int, clock: Clock, tasks: Tasks) -> None:
        self.readers = tuple(readers)
        self._by_name = {m.name: m for m in readers}
        self._max_lag = max_lag_blocks
        self._clock = clock
        self._tasks = tasks
        self._polls = dict[str, asyncio.Task[Header | NodeError]]()
        self._headers = dict[str, Header]()
        self._handed: Handed | None = None
        self._header: Header = {}
        self._behind_since: float | None = None
        self._pins = Pins()

    @property
    def are_told(self) -> bool:
        """Whether every node that is read from pushes its heads."""
        return all(m.tells for m in self.readers if m.fault is None)

    async def newest(self) -> Header:
        """Return the header of the newest block to go by. Raises NodesDisagreeError when there is nothing to follow."""
        await self._poll()
        await self._link()
        self.judge()
        healthy = self.healthy()
        best = health.next_head(self._handed, [m.record for m in healthy])
        if best is None or best.head is None:
            return self._nothing_newer(healthy)
        self._behind_since = None
        if self._handed is None or best.head.hash != self._handed.head.hash:
            self._handed, self._header = Handed(best.head, best.history), self._headers[best.name]
            self._pins.add(best.head.hash, best.head.number)
        return self._header

    async def _poll(self) -> None:
        """Ask for heads side by side; one still busy with the last question is not asked again. Raises if none can."""
        asked = [self._by_name[r.name] for r in health.asked([m.record for m in self.readers], self._clock())]
        if len(asked) == 1:
            await self._see(asked[0])
            return
        for member in asked:
            if member.name not in self._polls or self._polls[member.name].done():
                self._polls[member.name] = self._tasks.begin(self._see(member))
        polls = [self._polls[member.name] for member in asked]
        # a head that was pushed is not kept waiting for those who have to be asked
        await first_and_grace(polls, 0 if any(member.tells for member in asked) else GRACE_S)
        outcomes = [poll.result() for poll in polls if poll.done()]
        if all(isinstance(o, NodeError) for o in outcomes):
            raise self.error(o for o in outcomes if isinstance(o, NodeError))

    async def _see(self, member: Member) -> Header:
        header = self._headers[member.name] = await member.see_head()
        return header

    async def _link(self) -> None:
        """Learn of nodes that skipped blocks, or are far ahead, whether they are on the others' history."""
        records = health.asked([m.record for m in self.readers], self._clock())
        wanted = health.unlinked(records, self._handed.head if self._handed else None, self._max_lag)
        begun = [self._tasks.begin(self._by_name[r.name].learn(number)) for r, number in wanted]
        await at_most(begun, HEDGE_S)

    def judge(self) -> None:
        """Set aside whom the majority contradicts."""
        for record in health.liars(health.asked([m.record for m in self.readers], self._clock())):
            self._by_name[record.name].leave(Aside.LYING, "most other nodes have another history")

    def _nothing_newer(self, healthy: list[Member]) -> Header:
        """Return the head handed out before: no newer one may be followed yet. Not for longer than a minute."""
        pair = health.dispute([m.record for m in healthy])
        if pair and self._handed is None:
            raise NodesDisagreeError(pair[0].name, _HEAD, f"{pair[1].name} has another history")
        if self._handed is None:
            raise NodeAwayError(self.readers[0].name, _HEAD, "no node named a head")
        now = self._clock()
        self._behind_since = now if self._behind_since is None else self._behind_since
        if now - self._behind_since > health.ASIDE_S:
            number, self._behind_since = self._handed.head.number, None
            if sum(m.fault is None for m in self.readers) == 1:
                self._handed = None  # it went back, and there is nobody to contradict it
            raise NodeAwayError(
                self.readers[0].name, _HEAD, f"no node has block {number} any more, which was seen before"
            )
        return self._header

    def healthy(self, current: str | None = None) -> list[Member]:
        """Return the nodes whose word counts, best first. Raises NodeError when there is none."""
        records = [m.record for m in self.readers]
        handed = self._handed.head if self._handed else None
        found = health.healthy(records, self._clock(), handed, self._max_lag)
        if not found:
            said = "; ".join(f"{m.name}: {self.state_of(m)}" for m in self.readers)
            raise self.error((NodeAwayError(self.readers[0].name, "read", f"no node is healthy: {said}"),))
        return [self._by_name[r.name] for r in health.by_preference(found, current)]

    def having(self, method: str, params: tuple[Any, ...], current: str | None = None) -> list[Member]:
        """Return the healthy nodes that should have a request's block; all of them when none is known to."""
        found = self.healthy(current)
        number, hash_ = self._pins.of(method, params)
        return [m for m in found if m.record.has(number, hash_)] or found

    def error(self, errors: Iterable[NodeError]) -> NodeError:
        """Return what to raise when no node gave an answer: the first that may pass, else that the chain is wrong."""
        passing = [e for e in errors if not isinstance(e, WrongChainError)]
        faults = [m.fault for m in self.readers if m.fault]
        if len(faults) == len(self.readers):
            return faults[0]
        return passing[0] if passing else NodeAwayError(self.readers[0].name, "read", "no node answered")

    def state_of(self, member: Member) -> str:
        """Return in words how a node is doing; nothing of one that is not read from."""
        handed = self._handed.head if self._handed else None
        return health.state(member.record, self._clock(), handed, self._max_lag) if member in self.readers else ""
