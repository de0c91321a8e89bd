"""The newest head to go by, of several nodes: all are asked side by side, and the rules of ``health`` choose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from keeper.chain import health
from keeper.chain.errors import NodeAwayError, NodeError, NodesDisagreeError, WrongChainError
from keeper.chain.health import Handed
from keeper.chain.member import Clock, Member
from keeper.chain.patience import Patience, patiently
from keeper.chain.pins import Pins
from keeper.chain.pushes import Header
from keeper.chain.record import ASIDE_S, Aside, Head, Record
from keeper.chain.tasks import GRACE_S, HEDGE_S, Tasks, at_most, first_and_grace

Warn = Callable[[str, str, str], None]
"""Called with what the owner must know of the nodes together: a key to repeat it by, a title, the detail."""

Calm = Callable[[str, str], None]
"""Called when this is over: the key, and how it is now."""

_HEAD = "eth_getBlockByNumber"
LONE_S = 15.0
"""How long a node that alone can be asked must name a head far ahead before it is believed."""
NEW_BLOCKS = 8
"""A block at most so far back is new: who does not have it may have it soon."""


class Heads:
    """Heads handed out, never backwards; and with them which nodes are healthy: those not too far behind."""

    def __init__(
        self,
        readers: Sequence[Member],
        max_lag_blocks: int,
        clock: Clock,
        tasks: Tasks,
        block_time_s: float = 12.0,
        warn: Warn = lambda *_: None,
        calm: Calm = lambda *_: None,
    ) -> None:
        self.readers = tuple(readers)
        self._by_name = {m.name: m for m in readers}
        self._max_lag = max_lag_blocks
        self._clock = clock
        self._tasks = tasks
        self._block_time_s = block_time_s
        self._warn, self._calm = warn, calm
        self._polls = dict[str, asyncio.Task[Header | NodeError]]()
        self._headers = dict[str, Header]()
        self._handed: Handed | None = None
        self._header: Header = {}
        self._handed_at = 0.0
        self._then = dict[str, int]()
        """The lowest heads that nodes had since the newest was handed out."""
        self._behind_since: float | None = None
        self._far_since: float | None = None
        self._pins = Pins()

    @property
    def are_told(self) -> bool:
        """Whether every node that is read from pushes its heads."""
        return all(m.pushes_heads for m in self.readers if m.fault is None)

    async def newest(self) -> Header:
        """Return the header of the newest block to go by. Raises NodesDisagreeError when there is nothing to follow."""
        await patiently(self._poll, Patience())
        await self._link()
        self._judge_far_ahead()
        self.judge()
        self._tell_who_stands()
        self._leave_who_stands_still()
        self._note_lowest()
        healthy = self._healthy()
        best = self._best(healthy)
        if best is None or best.head is None:
            return self._nothing_newer(healthy)
        self._behind_since = None
        if self._handed is None or best.head.hash != self._handed.head.hash:
            self._hand_out(best, best.head)
        return self._header

    def _hand_out(self, best: Record, head: Head) -> None:
        self._handed, self._header = Handed(head, best.history), self._headers[best.name]
        self._handed_at, self._far_since = self._clock(), None
        self._then = {m.name: m.record.head.number for m in self.readers if m.record.head}
        self._pins.add(head.hash, head.number)

    def _best(self, healthy: Sequence[Member]) -> Record | None:
        """Return the record whose head is handed out, None when none may be."""
        far = {r.name for r in self._far_ahead()}
        if not far:
            self._far_since = None
            self._calm("node:far", "No node names a block further ahead than time allows.")
        elif self._handed and self._is_patience_with_far_out():
            far.clear()
        return health.next_head(self._handed, [m.record for m in healthy if m.name not in far])

    async def _poll(self) -> None:
        """Ask every node for its head, side by side; one still busy with the last question is not asked again.

        Raises NodeError if none of those that count can say.
        """
        if len(self.readers) == 1:
            await self._see(self.readers[0])
            return
        for member in self.readers:
            if member.name not in self._polls or self._polls[member.name].done():
                self._polls[member.name] = self._tasks.begin(self._see(member))
        counting = self._counting()
        polls = [self._polls[name] for name in counting] or list(self._polls.values())
        # a head that was pushed is not kept waiting for those who have to be asked
        await first_and_grace(polls, 0 if any(self._by_name[name].pushes_heads for name in counting) else GRACE_S)
        outcomes = [poll.result() for poll in polls if poll.done()]
        if all(isinstance(o, NodeError) for o in outcomes):
            await at_most(self._polls.values(), GRACE_S)
            raise self.error(o for o in outcomes if isinstance(o, NodeError))

    async def _see(self, member: Member) -> Header:
        header = self._headers[member.name] = await member.see_head()
        return header

    async def _link(self) -> None:
        """Learn of nodes that skipped blocks, or are far ahead, whether they are on the others' history."""
        records = [self._by_name[name].record for name in self._counting()]
        wanted = health.unlinked(records, self._handed.head if self._handed else None, self._max_lag)
        begun = [self._tasks.begin(self._by_name[r.name].learn(number)) for r, number in wanted]
        await at_most(begun, HEDGE_S)

    # --- who is believed ---------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Set aside whom the majority contradicts."""
        for record in health.liars([self._by_name[name].record for name in self._counting()]):
            self._by_name[record.name].leave(Aside.LYING, "most other nodes have another history")

    def _judge_far_ahead(self) -> None:
        """Set aside who names a head that time does not allow, while another node names one that it does."""
        far = self._far_ahead()
        if not far or len(far) == sum(self._by_name[name].record.head is not None for name in self._counting()):
            return
        for record in far:
            number = record.head.number if record.head else 0
            self._by_name[record.name].leave(Aside.LYING, f"names block {number}, further ahead than time allows")

    def _far_ahead(self) -> list[Record]:
        if self._handed is None:
            return []
        records = [self._by_name[name].record for name in self._counting()]
        elapsed = self._clock() - self._handed_at
        return health.far_ahead(records, self._handed.head, elapsed, self._block_time_s)

    def _is_patience_with_far_out(self) -> bool:
        """Return whether the only nodes there are named a head far ahead for long enough: nobody else can be asked."""
        now = self._clock()
        self._far_since = now if self._far_since is None else self._far_since
        if now - self._far_since < LONE_S:
            return False
        self._warn("node:far", "The chain is much further than expected", "No other node can say whether that is so.")
        return True

    def _leave_who_stands_still(self) -> None:
        """After a minute without a newer head: follow those that moved on meanwhile, from the start.

        They are below what was handed out, so it was no head of this chain, or its node stands still. Where nobody
        comes near it any more, a quarter of a minute is enough.
        """
        if self._handed is None:
            return
        head, elapsed = self._handed.head, self._clock() - self._handed_at
        records = [self._by_name[name].record for name in self._counting()]
        is_near = any(r.lag(head) <= self._max_lag for r in records)
        if elapsed <= (ASIDE_S if is_near else LONE_S):
            return
        moving = health.moved_on(records, self._then, head, elapsed, self._block_time_s)
        if not moving:
            return
        for record in records:
            if record.head and record.head.number >= head.number:
                detail = f"stands still at block {record.head.number} while others move on"
                self._by_name[record.name].leave(Aside.LYING, detail)
        self._warn("node:back", "The nodes went back", f"Block {head.number}, seen before, is not to be had any more.")
        self._handed = self._behind_since = None

    def _note_lowest(self) -> None:
        """Remember the lowest head of each node since the newest was handed out: from there it moves on, or not."""
        for member in self.readers:
            if member.record.head:
                number = member.record.head.number
                self._then[member.name] = min(self._then.get(member.name, number), number)

    def _tell_who_stands(self) -> None:
        """Alert the owner when only nodes are left whose word should not count."""
        left = health.standing([m.record for m in self.readers], self._clock())
        if left:
            names = ", ".join(r.name for r in left)
            self._warn("node:last", "Every node is set aside", f"{names} must be believed all the same: none is left.")
        else:
            self._calm("node:last", "There is a node again whose word counts.")

    def _nothing_newer(self, healthy: list[Member]) -> Header:
        """Return the head handed out before: no newer one may be followed yet. Not for longer than a minute."""
        if not healthy:
            raise self._nobody()
        pair = health.dispute([m.record for m in healthy])
        if pair and self._handed is None:
            raise NodesDisagreeError(pair[0].name, _HEAD, f"{pair[1].name} has another history")
        if self._handed is None:
            raise NodeAwayError(self.readers[0].name, _HEAD, "no node named a head")
        now = self._clock()
        self._behind_since = now if self._behind_since is None else self._behind_since
        if now - self._behind_since > ASIDE_S:
            number, self._behind_since = self._handed.head.number, None
            if sum(m.fault is None for m in self.readers) == 1:
                self._handed = None  # it went back, and there is nobody to contradict it
            raise NodeAwayError(
                self.readers[0].name, _HEAD, f"no node has block {number} any more, which was seen before"
            )
        return self._header

    def _counting(self) -> list[str]:
        return [r.name for r in health.counting([m.record for m in self.readers], self._clock())]

    # --- whom to read from -------------------------------------------------------------------------------------------

    def healthy(self, current: str | None = None) -> list[Member]:
        """Return the nodes whose word counts, best first. Raises NodeError when there is none."""
        found = self._healthy(current)
        if not found:
            raise self._nobody()
        return found

    def _healthy(self, current: str | None = None) -> list[Member]:
        records = [m.record for m in self.readers]
        handed = self._handed.head if self._handed else None
        found = health.healthy(records, self._clock(), handed, self._max_lag)
        return [self._by_name[r.name] for r in health.by_preference(found, current)]

    def _nobody(self) -> NodeError:
        said = "; ".join(f"{m.name}: {self.state_of(m)}" for m in self.readers)
        return self.error((NodeAwayError(self.readers[0].name, "read", f"no node is healthy: {said}"),))

    def having(self, method: str, params: tuple[Any, ...], current: str | None = None) -> list[Member]:
        """Return the healthy nodes that should have a request's block; all of them when none is known to."""
        found = self.healthy(current)
        number, hash_ = self._pins.of(method, params)
        return [m for m in found if m.record.has(number, hash_)] or found

    def is_new(self, method: str, params: tuple[Any, ...]) -> bool:
        """Return whether a request is about a block that a node may not have yet."""
        number, hash_ = self._pins.of(method, params)
        if not number and hash_ is None:
            return False
        return self._handed is None or not number or number > self._handed.head.number - NEW_BLOCKS

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
