"""One JSON-RPC endpoint, over HTTP or WebSocket: one request, one answer or one typed error. No hidden retries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, runtime_checkable

from keeper.chain.errors import ForbiddenMethodError, NodeAwayError, NodeBusyError, NodeError, NodeRefusedError
from keeper.chain.health import host_of
from keeper.chain.pace import RequestPace
from keeper.chain.pushes import Header, OnGap, OnLog, Pushed, Topics, as_log
from keeper.chain.refusals import refusal
from keeper.chain.secrets import Secrets
from keeper.core.units import Address

if TYPE_CHECKING:
    from keeper.chain.http import HttpWire
    from keeper.chain.socket import SocketWire

READING: Final = frozenset(
    {
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_simulateV1",
        "eth_subscribe",
        "eth_unsubscribe",
        "web3_clientVersion",
    }
)
"""All that a connection may do in dry run. Nothing in this list changes a chain."""
SENDING: Final = READING | {"eth_sendRawTransaction"}

T = TypeVar("T")
Decode = Callable[[str, Any], T]
"""Turns the result of a node, which is named first, into a value. Raises NodeError where it makes no sense."""


class Upstream(Protocol):
    """What answers requests: one node, or several that act as one."""

    @property
    def name(self) -> str:
        """The node that is asked now, as it may be shown: never a URL."""

    async def request(self, method: str, *params: Any) -> Any:
        """Return the result of one request. Raises NodeError."""

    async def ask(self, decode: Decode[T], method: str, *params: Any) -> T:
        """Return a result as ``decode`` reads it. What it raises counts against the node that answered."""


@runtime_checkable
class Several(Protocol):
    """Nodes that act as one, and can be asked for what each of them says."""

    async def each(self, decode: Decode[T], method: str, *params: Any) -> list[T]:
        """Return what every node that reads says. Raises NodeError when none of them answers."""


async def each(node: Upstream, decode: Decode[T], method: str, *params: Any) -> list[T]:
    """Return what every node says, one answer where there is one node. Raises NodeError when none answers."""
    if isinstance(node, Several):
        return await node.each(decode, method, *params)
    return [decode(node.name, await node.request(method, *params))]


class Node:
    """A node, and the methods this connection may use: ``READING`` unless the keeper runs live."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 10.0,
        allowed: frozenset[str] = READING,
        name: str | None = None,
        pace: RequestPace | None = None,
    ) -> None:
        self.name = name or host_of(url)
        self.pace = pace or RequestPace()
        self._allowed = allowed
        self._secrets = Secrets(url)
        self._pushes = _socket(url, timeout_s, self.name)
        self._wire: HttpWire | SocketWire = self._pushes or _http(url, timeout_s, self.name)

    def __repr__(self) -> str:
        return f"Node({self.name})"

    def may(self, method: str) -> bool:
        """Whether this connection may use a method at all."""
        return method in self._allowed

    async def ask(self, decode: Decode[T], method: str, *params: Any) -> T:
        """Return a result as ``decode`` reads it. Raises as ``request`` and ``decode`` do."""
        return decode(self.name, await self.request(method, *params))

    async def request(self, method: str, *params: Any) -> Any:
        """Return the result of one request, after it has waited for its turn: see ``chain.pace``.

        Raises NodeAwayError, NodeBusyError, NodeRefusedError; ForbiddenMethodError unsent.
        """
        if not self.may(method):
            raise ForbiddenMethodError(f"{method} on a connection that may not use it")
        sent = await self.pace.turn(self.name, method, is_urgent=method not in READING)
        try:
            result = await self._stated(method, params)
        except NodeBusyError as error:
            self.pace.refused(sent, error)
            raise
        except NodeRefusedError:
            self.pace.granted(sent)
            raise
        self.pace.granted(sent)
        return result

    async def _exchange(self, method: str, params: tuple[Any, ...]) -> Any:
        answer = await self._wire.exchange(method, params)
        if not isinstance(answer, dict) or not ("result" in answer or "error" in answer):
            raise NodeAwayError(self.name, method, "the answer is not JSON-RPC; is `rpc_url` right?")
        if answer.get("error") is not None:
            raise refusal(self.name, method, answer["error"])
        return answer.get("result")

    async def _stated(self, method: str, params: tuple[Any, ...]) -> Any:
        """Return what ``_exchange`` does; nothing of our own address is in what it raises."""
        try:
            return await self._exchange(method, params)
        except NodeError as error:
            self._secrets.hide(error)
            raise

    async def close(self) -> None:
        """End every subscription, and close the connection."""
        await self._wire.close()

    # --- pushes ------------------------------------------------------------------------------------------------------

    @property
    def can_push(self) -> bool:
        """Whether the node can push what is new: over WebSocket, where the connection may read."""
        return self._pushes is not None and self.may("eth_subscribe")

    def subscribe_heads(self, on_head: Callable[[Header], None], on_gap: OnGap) -> Pushed | None:
        """Hear of each new head. None where the node cannot push: see ``chain.pushes``."""

        def on_push(found: Any) -> None:
            if isinstance(found, dict):
                on_head(found)

        return self._subscribe(("newHeads",), on_push, on_gap)

    def subscribe_logs(
        self, addresses: Sequence[Address], topics: Topics, on_log: OnLog, on_gap: OnGap = lambda: None
    ) -> Pushed | None:
        """Hear of each log of these contracts with these topics. None where the node cannot push."""

        def on_push(found: Any) -> None:
            try:
                log = as_log(found)
            except ValueError:
                on_gap()  # something was said, and is not known
            else:
                on_log(log)

        return self._subscribe(("logs", {"address": list(addresses), "topics": list(topics)}), on_push, on_gap)

    def _subscribe(self, params: tuple[Any, ...], on_push: Callable[[Any], None], on_gap: OnGap) -> Pushed | None:
        if self._pushes is None or not self.may("eth_subscribe"):
            return None
        return self._pushes.subscribe(params, on_push, on_gap)


def _socket(url: str, timeout_s: float, name: str) -> SocketWire | None:
    """Return the wire of a WebSocket's address; None for any other. A library is loaded by who speaks through it."""
    if _scheme(url) not in ("ws", "wss"):
        return None
    from keeper.chain.socket import SocketWire  # noqa: PLC0415 - see above

    return SocketWire(url, timeout_s=timeout_s, name=name)


def _http(url: str, timeout_s: float, name: str) -> HttpWire:
    """Return the wire of an address of HTTP. Raises ValueError for any other."""
    if _scheme(url) not in ("http", "https"):
        raise ValueError("a node's address begins with http(s):// or ws(s)://")
    from keeper.chain.http import HttpWire  # noqa: PLC0415 - see above

    return HttpWire(url, timeout_s=timeout_s, name=name)


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()
