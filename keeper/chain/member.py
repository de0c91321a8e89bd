"""One of several nodes: its connection, its roles, and its record. Every request through here leaves its mark."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

from keeper.chain.accounts import taken
from keeper.chain.client import READING, Decode, Node
from keeper.chain.errors import (
    BlockMissingError,
    NodeAwayError,
    NodeBusyError,
    NodeError,
    NodeRefusedError,
    OversizedError,
    StaleAnswerError,
    WrongChainError,
)
from keeper.chain.patience import Patience, patiently
from keeper.chain.pushes import Header, Pushed
from keeper.chain.record import Aside, Head, Record, Role
from keeper.venues.codec.quantities import hash32, quantity

T = TypeVar("T")
Clock = Callable[[], float]
Notify = Callable[[str, Aside, str], None]
"""Called when a node is set aside: its name, why, and the detail. Called once each time, and must not block."""

SEND_METHODS: Final = ("eth_sendRawTransaction", "eth_sendPrivateTransaction")


class Member:
    """A node among others. Raises what the connection raises, and WrongChainError on another chain than ours."""

    def __init__(
        self,
        node: Node,
        chain_id: int,
        clock: Clock,
        notify: Notify,
        roles: frozenset[Role] = frozenset((Role.READ, Role.SEND)),
        send_method: str = SEND_METHODS[0],
    ) -> None:
        self.node = node
        self.name = node.name
        self.roles = roles
        self.record = Record(node.name)
        self.fault: WrongChainError | None = None
        """What is wrong while it is on another chain than ours."""
        self._chain_id = chain_id
        self._clock = clock
        self._notify = notify
        self._send_method = send_method
        self._pushed: Pushed | None = None
        self._stated: tuple[float, Header] | None = None
        self._newest: Head | None = None
        """The last head it named, whether or not that was believed."""
        self._patience_s = 0.0

    @property
    def pushes_heads(self) -> bool:
        """Whether the node can be counted on to push its next head."""
        return self._pushed is not None and self._pushed.is_live

    @property
    def may_send(self) -> bool:
        """Whether transactions go to this node: by its role, and by what its connection is allowed."""
        return bool(self.roles & {Role.SEND, Role.PRIVATE}) and self.node.may(self._send_method)

    async def ask(self, decode: Decode[T], method: str, *params: Any) -> T:
        """Return a result as ``decode`` reads it; the chain is checked beside it where that is still to be done.

        Of a node that was on another chain nothing is asked before that.
        """
        if self.fault:
            await self.check_chain()
        if self.record.is_chain_checked:
            return await self._ask(decode, method, *params)
        both = await asyncio.gather(
            self.check_chain(beside=True), self._ask(decode, method, *params), return_exceptions=True
        )
        for outcome in both:
            if isinstance(outcome, BaseException):
                raise outcome
        return both[1]  # type: ignore[return-value]  # the loop above raised whatever is not T

    async def check_chain(self, *, beside: bool = False) -> int:
        """Return the chain's id. While a node is on another one it is left, with WrongChainError.

        ``beside`` another request no failure is counted: that one does.
        """
        ask = self.node.ask if beside else self._ask
        try:
            found = await ask(as_number("eth_chainId"), "eth_chainId")
        except NodeRefusedError:
            if Role.READ in self.roles:
                raise
            found = self._chain_id  # a relay need not know the question, and the bytes are for one chain only
        if found != self._chain_id:
            detail = (
                f"the node is on chain {found}, the network file says {self._chain_id}; correct `rpc_url` or the file"
            )
            self.fault = WrongChainError(self.name, "eth_chainId", detail)
            self.leave(Aside.WRONG_CHAIN, detail)
            raise self.fault
        self.fault, self.record = None, self.record.on_our_chain()
        return found

    def follow(self, wake: Callable[[], None], patience_s: float) -> None:
        """Have each new head pushed, where the node can; ``wake`` is called when there is one, or one may be missed.

        A head pushed within ``patience_s`` is the newest without asking.
        """

        def on_head(header: Header) -> None:
            with contextlib.suppress(NodeAwayError):  # an incomplete one is as good as none: polling goes on
                self._stated = self._clock(), _as_head(self.name, header)[0]
                wake()

        def on_gap() -> None:
            self._stated = None
            wake()

        self._patience_s = patience_s
        self._pushed = self.node.subscribe_heads(on_head, on_gap)

    async def see_head(self) -> Header:
        """Return the header of the newest block, and remember it: as the node pushed it, else asked for."""
        stated = self._stated if self.pushes_heads else None
        if stated is not None and self._clock() - stated[0] <= self._patience_s:
            header, head = _as_head(self.name, stated[1])
        else:
            header, head = await self.ask(_as_head, "eth_getBlockByNumber", "latest", False)
        before, self._newest = self._newest, head
        if before is not None and head.number > before.number and head.timestamp < before.timestamp:
            # the next head is held against this one: a lie about time costs a node one block, and not all that follow
            detail = f"block {head.number} is {before.timestamp - head.timestamp} s earlier than block {before.number}"
            self.fail(detail)
            raise NodeAwayError(self.name, "eth_getBlockByNumber", detail)
        self.record = self.record.saw(head)
        return header

    async def learn(self, number: int) -> None:
        """Remember which block the node has at a number. Having none, it stays silent about it."""
        header = await self.ask(as_is, "eth_getBlockByNumber", hex(number), False)
        if isinstance(header, dict) and header.get("hash"):
            self.record = self.record.stated(number, str(header["hash"]))

    async def take(self, raw: str) -> None:
        """Hand over signed bytes, in the way this node takes them; again where it had no time for them."""
        await patiently(lambda: self._take(raw), Patience())

    async def _take(self, raw: str) -> None:
        if not self.record.is_chain_checked:
            await self.check_chain()
        private = self._send_method != SEND_METHODS[0]
        await self._ask(taken(self._send_method, raw), self._send_method, {"tx": raw} if private else raw)

    def leave(self, why: Aside, detail: str) -> None:
        """Set the node aside, and say so once."""
        was = self.record.aside if self.record.is_aside(self._clock()) else None
        self.record = self.record.left(why, self._clock())
        if was is not why:
            self._notify(self.name, why, detail)

    def fail(self, detail: str) -> None:
        """Count a request that was not answered, or too late."""
        was, self.record = self.record, self.record.failed(self._clock())
        if self.record.aside is Aside.FAILING and was.aside is not Aside.FAILING:
            self._notify(self.name, Aside.FAILING, detail)

    async def _ask(self, decode: Decode[T], method: str, *params: Any) -> T:
        begun = self._clock()
        try:
            answer = await self.node.ask(decode, method, *params)
        except OversizedError as error:
            self.fail(error.detail)
            raise
        except (NodeRefusedError, BlockMissingError):
            self._answered(begun)
            raise
        except NodeBusyError:
            raise  # it is well: its pace is what there is to learn from that
        except StaleAnswerError as error:
            self._stale(error.detail)
            raise
        except NodeError as error:
            self.fail(error.detail)
            raise
        self._answered(begun)
        if method == "eth_call" and params[1:2] != ("latest",):
            self.record = self.record.was_proven()
        return answer

    def _stale(self, detail: str) -> None:
        was = self.record.aside if self.record.is_aside(self._clock()) else None
        self.record = self.record.was_stale(self._clock())
        if self.record.aside is not None and self.record.aside is not was:
            self._notify(self.name, self.record.aside, detail)

    def _answered(self, begun: float) -> None:
        self.record = self.record.answered(self._clock() - begun)


def methods_of(roles: frozenset[Role], send_method: str, *, is_live: bool) -> frozenset[str]:
    """Return all that the connection to a node may do. Nothing that sends, unless live."""
    reads = READING if Role.READ in roles else frozenset({"eth_chainId"})
    sends = is_live and bool(roles & {Role.SEND, Role.PRIVATE})
    return reads | {send_method} if sends else reads


def as_is(_: str, result: Any) -> Any:
    """Return the result itself."""
    return result


def as_number(method: str) -> Decode[int]:
    """Return what reads a quantity. It raises NodeAwayError for what is none."""

    def decode(name: str, result: Any) -> int:
        try:
            return quantity(result)
        except ValueError as error:
            raise NodeAwayError(name, method, f"not a number: {error}") from None

    return decode


def _as_head(name: str, header: Any) -> tuple[dict[str, Any], Head]:
    try:
        number, timestamp = quantity(header["number"]), quantity(header["timestamp"])
        return header, Head(number, hash32(header["hash"]), hash32(header["parentHash"]), timestamp)
    except (KeyError, TypeError, ValueError) as error:
        detail = f"the block header is incomplete ({error})" if header else "the node has no block latest"
        raise NodeAwayError(name, "eth_getBlockByNumber", detail) from None
