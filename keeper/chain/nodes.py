"""Several nodes that answer as one: reads from the best healthy head, never backwards; transactions to all of them.

One URL is a special case of this, with not one request more than the node alone would get.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from keeper.chain.agreement import Agreement
from keeper.chain.broadcast import Sent, broadcast
from keeper.chain.chunks import is_too_big
from keeper.chain.client import Decode
from keeper.chain.errors import (
    BlockMissingError,
    MethodMissingError,
    NodeBusyError,
    NodeError,
    NodeRefusedError,
)
from keeper.chain.heads import Calm, Heads, Warn
from keeper.chain.member import Clock, Member, as_is, as_number
from keeper.chain.patience import Patience, for_a_block, patiently
from keeper.chain.pushes import OnGap, OnLog, Pushed, SharedPush, Stated, Topics
from keeper.chain.record import Role
from keeper.chain.tasks import GRACE_S, HEDGE_S, Tasks, first_and_grace
from keeper.core.units import Address
from keeper.venues.codec.hashes import keccak

T = TypeVar("T")

_MOVING = ("latest", "pending")


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What an owner is shown of a node. ``head`` is None before it named one; ``state`` is empty for a relay."""

    name: str
    roles: tuple[str, ...]
    head: int | None
    latency_ms: int
    state: str
    is_current: bool


class Nodes:
    """What the rest of the program asks in place of one node: ``Upstream``, and ``send``, ``agree`` and ``confirm``."""

    def __init__(
        self,
        members: Sequence[Member],
        *,
        max_lag_blocks: int = 3,
        clock: Clock = time.monotonic,
        block_time_s: float = 12.0,
        warn: Warn = lambda *_: None,
        calm: Calm = lambda *_: None,
    ) -> None:
        self.members = tuple(members)
        readers = [m for m in members if Role.READ in m.roles]
        if not readers:
            raise ValueError("no node with the role `read`")
        self._tasks = Tasks()
        self._heads = Heads(readers, max_lag_blocks, clock, self._tasks, block_time_s, warn, calm)
        self._block_s = for_a_block(block_time_s)
        self._current: Member | None = None
        among = Agreement(self._heads, self._tasks, lambda: self.name)
        self.agree, self.confirm, self.poll = among.agree, among.confirm, among.poll
        self.borne_out, self.settle = among.borne_out, among.settle

    @property
    def name(self) -> str:
        """The node that reads go to now."""
        return (self._current or self._heads.readers[0]).name

    @property
    def has_private_relay(self) -> bool:
        """Whether a transaction can be sent without showing it to everybody."""
        return any(Role.PRIVATE in m.roles for m in self.members)

    async def request(self, method: str, *params: Any) -> Any:
        """Return the result of one request. Raises NodeError. See ``ask``."""
        return await self.ask(as_is, method, *params)

    async def ask(self, decode: Decode[T], method: str, *params: Any) -> T:
        """Return a result as ``decode`` reads it. A node whose answer it rejects has failed, and the next is asked.

        So it is where a node refuses, unless that is certainly about the call itself. Where none has a new block yet,
        or time for us, they are asked again within the block.
        """
        match method, params:
            case "eth_chainId", _:
                return decode(self.name, hex(await self.check_chains()))
            case "eth_sendRawTransaction", (raw,):
                sent = await self.send(raw, public=not self.has_private_relay)
                sent.raise_unless_taken()
                return decode(self.name, "0x" + keccak(bytes.fromhex(raw.removeprefix("0x"))).hex())
            case "eth_getBlockByNumber", ("latest", False):
                return decode(self.name, await self._heads.newest())
            case "eth_getTransactionCount", (_, tag) if tag in _MOVING:
                count = await patiently(lambda: self._highest(method, params), Patience())
                return decode(self.name, hex(count))
        patience = Patience(self._block_s if self._heads.is_new(method, params) else 0.0)
        return await patiently(lambda: self._first(decode, method, params), patience)

    async def check_chains(self) -> int:
        """Check every node's chain, and return the id. Raises WrongChainError when no node that reads is left."""
        return await patiently(self._check_chains, Patience())

    async def _check_chains(self) -> int:
        begun = {m: self._tasks.begin(m.check_chain()) for m in self.members}
        readers = [task for m, task in begun.items() if m in self._heads.readers]
        await first_and_grace(readers, GRACE_S)
        outcomes = [task.result() for task in readers if task.done()]
        found = next((o for o in outcomes if isinstance(o, int)), None)
        if found is None:
            raise self._heads.error(o for o in outcomes if isinstance(o, NodeError))
        return found

    # --- pushes ------------------------------------------------------------------------------------------------------

    def follow(self, wake: Callable[[], None], patience_s: float) -> None:
        """Have new heads pushed by every node that can. ``wake`` is called when it is time to ask for the newest.

        They are subject to the same rules as heads that were asked for. Where nothing was pushed for ``patience_s``, a
        node is asked after all.
        """
        for member in self._heads.readers:
            member.follow(wake, patience_s)

    @property
    def are_told(self) -> bool:
        """Whether every node that is read from pushes its heads now: there is no need to ask often."""
        return self._heads.are_told

    def subscribe_logs(
        self, addresses: Sequence[Address], topics: Topics, on_log: OnLog, on_gap: OnGap = lambda: None
    ) -> Pushed | None:
        """Hear of each log once, by whichever node is first. None where no node that reads can push.

        ``on_gap`` is called when any of them may have missed one. See ``chain.pushes``.
        """
        stated = Stated(on_log)
        begun = [m.node.subscribe_logs(addresses, topics, stated, on_gap) for m in self._heads.readers]
        found = tuple(p for p in begun if p is not None)
        return SharedPush(found) if found else None

    async def close(self) -> None:
        """Stop whatever is under way, and close every connection."""
        await self._tasks.close()
        for member in self.members:
            await member.node.close()

    # --- sending -----------------------------------------------------------------------------------------------------

    async def send(self, raw: str, *, public: bool) -> Sent:
        """Hand signed bytes to all nodes that take transactions, side by side.

        Unless ``public``, only to the private relays, where there are any. Raises nothing for what nodes say: see
        ``Sent``. Raises ForbiddenMethodError where no connection may send.
        """
        return await broadcast(self.members, raw, self._tasks, GRACE_S, public=public)

    # --- trust -------------------------------------------------------------------------------------------------------

    @property
    def has_others(self) -> bool:
        """Whether several nodes are read from."""
        return len(self._heads.readers) > 1

    def another(self, turn: int) -> tuple[str, str] | None:
        """Return the node that reads go to and one of the others that are healthy, in turns; None where none is."""
        try:
            first, *others = self._heads.healthy(self._current.name if self._current else None)
        except NodeError:
            return None
        return (first.name, others[turn % len(others)].name) if others else None

    def ask_one(
        self, name: str, after_s: float, decode: Decode[T], method: str, *params: Any
    ) -> asyncio.Task[T | NodeError]:
        """Begin to ask one node after a moment, as patiently as any."""
        (member,) = (m for m in self._heads.readers if m.name == name)

        async def work() -> T:
            await asyncio.sleep(after_s)
            return await patiently(lambda: member.ask(decode, method, *params), Patience(self._block_s))

        return self._tasks.begin(work())

    # --- reads -------------------------------------------------------------------------------------------------------

    async def _first(self, decode: Decode[T], method: str, params: tuple[Any, ...]) -> T:
        """Ask the best node; the next where it does not answer, or as well where it takes long: that is a failure."""
        waiting = deque(self._heads.having(method, params, self._current.name if self._current else None))
        if len(waiting) == 1:
            answer = await self._turned_to(waiting[0]).ask(decode, method, *params)
            self._current = waiting[0]
            return answer
        waiting = deque(sorted(waiting, key=lambda m: m.node.pace.wait_s() > 0))
        running, errors = dict[asyncio.Task[T | NodeError], Member](), dict[Member, NodeError]()
        try:
            while waiting or running:
                if waiting:
                    member = self._turned_to(waiting.popleft())
                    running[self._tasks.begin(member.ask(decode, method, *params))] = member
                limit = HEDGE_S if waiting else None
                done, _ = await asyncio.wait(running, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    member, outcome = running.pop(task), task.result()
                    if isinstance(outcome, NodeError):
                        errors[member] = _worth_asking_elsewhere(outcome)
                        continue
                    self._current = member
                    self._blame(method, member, errors, [m for t, m in running.items() if not t.done()])
                    return outcome
        finally:
            for task in running:
                task.cancel()
        raise self._heads.error(sorted(errors.values(), key=_telling))

    async def elsewhere(self, refused: NodeRefusedError, decode: Decode[T], method: str, *params: Any) -> T:
        """Return what another node answers to what one says can only fail, where it cannot; raise that where none does.

        Who said so is left, as for any other wrong answer.
        """
        for member in self._heads.having(method, params, None):
            if member.name == refused.node:
                continue
            try:
                found = await member.ask(decode, method, *params)
            except NodeError:
                continue
            self._current = member
            for liar in (m for m in self.members if m.name == refused.node):
                liar.fail(f"{method}: {refused.detail}; {member.name} answered")
            return found
        raise refused

    def _blame(self, method: str, winner: Member, errors: dict[Member, NodeError], late: Sequence[Member]) -> None:
        """Count against a node that it refused what another answered, or was too late with it."""
        for member, error in errors.items():
            if isinstance(error, NodeRefusedError) and not isinstance(error, MethodMissingError):
                member.fail(f"{method}: {error.detail}; {winner.name} answered")
        for member in late:
            if member.node.pace.wait_s() == 0:  # else it is kept waiting by us
                member.fail(f"{method}: {winner.name} was faster by {HEDGE_S:g} s")

    def _turned_to(self, member: Member) -> Member:
        """Return a node about to be read from; its chain is checked again when it was not the one in use."""
        if self._current is None:
            self._current = member
        elif member is not self._current:
            member.record = member.record.met_anew()
        return member

    async def _highest(self, method: str, params: tuple[Any, ...]) -> int:
        """Return the highest count any healthy node knows: one that lags must not move a nonce back."""
        begun = [self._tasks.begin(m.ask(as_number(method), method, *params)) for m in self._heads.healthy()]
        await first_and_grace(begun, GRACE_S)
        outcomes = [task.result() for task in begun if task.done()]
        counts = [o for o in outcomes if isinstance(o, int)]
        if not counts:
            raise self._heads.error(o for o in outcomes if isinstance(o, NodeError))
        return max(counts)

    async def each(self, decode: Decode[T], method: str, *params: Any) -> list[T]:
        """Return what every healthy node says: those that answer soon after the first. Raises NodeError: none did."""
        begun = [self._tasks.begin(m.ask(decode, method, *params)) for m in self._heads.healthy()]
        await first_and_grace(begun, GRACE_S)
        outcomes = [task.result() for task in begun if task.done()]
        answers = [o for o in outcomes if not isinstance(o, NodeError)]
        if not answers:
            raise self._heads.error(o for o in outcomes if isinstance(o, NodeError))
        return answers

    def status(self) -> list[NodeStatus]:
        """Return what is known of each node, in the order of the settings."""
        return [
            NodeStatus(
                name=m.name,
                roles=tuple(sorted(role.value for role in m.roles)),
                head=m.record.head.number if m.record.head else None,
                latency_ms=round(1000 * m.record.latency_s),
                state=self._heads.state_of(m),
                is_current=m is self._current,
            )
            for m in self.members
        ]


def _worth_asking_elsewhere(error: NodeError) -> NodeError:
    """Return an error that another node may not have; raise a refusal that is certainly about the call itself."""
    if isinstance(error, NodeRefusedError) and error.is_final:
        raise error
    return error


def _telling(error: NodeError) -> int:
    """Return how little an error says, of several nodes' where none answered: the least is what is raised."""
    match error:
        case NodeRefusedError():
            return 0 if is_too_big(error) else 1
        case NodeBusyError() | BlockMissingError():
            return 2
        case _:
            return 3
