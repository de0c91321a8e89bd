"""JSON-RPC over WebSocket: requests side by side on one connection, and what the node pushes by itself."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from keeper.chain import bounded
from keeper.chain.errors import NodeAwayError, NodeBusyError, NodeError, TooBigError
from keeper.chain.request import encoded
from keeper.chain.retry_after import TOO_MANY, seconds_of

QUEUED: Final = 4
"""Messages that may wait to be read: with the bound of each, the bound of what a node can make us hold."""
BACKOFF_S: Final = (0.1, 15.0)
"""The first and the longest pause before a lost connection is tried again."""
PING_S: Final = 10.0
"""A connection on which nothing comes back for this long, pings included, is lost."""
_TOO_BIG = 1009  # RFC 6455: a message was too big to process

Asked = tuple[str, tuple[Any, ...]]


@dataclass(slots=True, eq=False)
class Subscription:
    """One eth_subscribe, repeated on every new connection until cancelled."""

    params: tuple[Any, ...]
    on_push: Callable[[Any], None]
    on_gap: Callable[[], None]
    wire: SocketWire
    id: str | None = None
    was_lost: bool = False

    @property
    def is_live(self) -> bool:
        """Whether the node confirmed it and the connection is up."""
        return self.id is not None

    def cancel(self) -> None:
        """End it. Nothing is called any more, at once."""
        self.wire.drop(self)


class _Straight(connect):
    """A connection to the address that was named, and to no other that it leads to."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the refusal itself: no redirect is followed."""
        return exc


@dataclass(slots=True)
class _Pending:
    method: str
    size: int
    answer: asyncio.Future[object]
    subscription: Subscription | None = None


@dataclass(slots=True, eq=False)
class _Line:
    """One connection: its requests under way by id, and who reads it."""

    socket: ClientConnection
    pending: dict[int, _Pending] = field(default_factory=dict)
    pushed: dict[str, Subscription] = field(default_factory=dict)
    reader: asyncio.Task[None] | None = None


class SocketWire:
    """One endpoint over WebSocket. A lost connection is made anew by the next request; for a subscription at once."""

    def __init__(self, url: str, *, timeout_s: float, name: str, largest: int = bounded.LARGEST) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._name = name
        self._largest = largest
        self._line: _Line | None = None
        self._connecting = asyncio.Lock()
        self._ids = itertools.count(1)
        self._subscriptions = list[Subscription]()
        self._wanted = asyncio.Event()
        self._upkeep: asyncio.Task[None] | None = None
        self._last_words = set[asyncio.Task[object]]()

    async def exchange(self, method: str, params: tuple[Any, ...]) -> object:
        """Return the JSON of one answer. Raises NodeAwayError; TooBigError when the node dropped us for our size."""
        return await self._ask((method, params))

    def subscribe(
        self, params: tuple[Any, ...], on_push: Callable[[Any], None], on_gap: Callable[[], None]
    ) -> Subscription:
        """Begin a subscription. It is confirmed later (``is_live``), and again after each reconnection.

        ``on_gap`` is called when the connection is lost, and when a lost subscription is back.
        """
        subscription = Subscription(params, on_push, on_gap, self)
        self._subscriptions.append(subscription)
        self._wanted.set()
        if self._upkeep is None or self._upkeep.done():
            self._upkeep = asyncio.create_task(self._keep_up())
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """Forget a subscription, and let the node know where there is a connection."""
        if subscription not in self._subscriptions:
            return
        self._subscriptions.remove(subscription)
        id_, subscription.id = subscription.id, None
        if id_ is not None and self._line is not None:
            self._line.pushed.pop(id_, None)
            farewell = asyncio.create_task(self._quietly("eth_unsubscribe", (id_,)))
            self._last_words.add(farewell)
            farewell.add_done_callback(self._last_words.discard)

    async def close(self) -> None:
        """End every subscription, and close the connection."""
        self._subscriptions.clear()
        tasks = [t for t in (self._upkeep, *self._last_words) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        line, self._line = self._line, None
        if line is not None:
            line.pushed.clear()
            await line.socket.close()
            if line.reader is not None:
                await asyncio.gather(line.reader, return_exceptions=True)

    # --- requests ----------------------------------------------------------------------------------------------------

    async def _ask(self, asked: Asked, subscription: Subscription | None = None) -> object:
        method, params = asked
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._answer(await self._connected(method), method, params, subscription)
        except TimeoutError:
            raise NodeAwayError(self._name, method, f"no answer within {self._timeout_s:g} s") from None

    async def _answer(
        self, line: _Line, method: str, params: tuple[Any, ...], subscription: Subscription | None
    ) -> object:
        id_ = next(self._ids)
        body = encoded(id_, method, params)
        pending = _Pending(method, len(body), asyncio.get_running_loop().create_future(), subscription)
        line.pending[id_] = pending
        try:
            await line.socket.send(body, text=True)
            return await pending.answer
        except ConnectionClosed:
            raise NodeAwayError(self._name, method, "the connection was lost") from None
        finally:
            line.pending.pop(id_, None)

    async def _connected(self, method: str) -> _Line:
        async with self._connecting:
            if self._line is not None:
                return self._line
            try:
                socket = await _Straight(
                    self._url,
                    open_timeout=self._timeout_s,
                    ping_interval=PING_S,
                    ping_timeout=PING_S,
                    close_timeout=1,
                    max_size=self._largest,
                    max_queue=QUEUED,
                    compression=None,
                    proxy=None,
                )
            except TimeoutError:
                raise NodeAwayError(self._name, method, f"no connection within {self._timeout_s:g} s") from None
            except InvalidStatus as error:
                if error.response.status_code == TOO_MANY:
                    headers = error.response.headers
                    after_s = seconds_of(headers.get("Retry-After"), headers.get("Date"))
                    raise NodeBusyError(self._name, method, f"HTTP status {TOO_MANY}", after_s) from None
                raise NodeAwayError(self._name, method, f"HTTP status {error.response.status_code}") from None
            except (OSError, WebSocketException, ValueError) as error:
                raise NodeAwayError(self._name, method, f"cannot be reached ({type(error).__name__})") from None
            self._line = line = _Line(socket)
            line.reader = asyncio.create_task(self._read(line))
            return line

    # --- answers and pushes ------------------------------------------------------------------------------------------

    async def _read(self, line: _Line) -> None:
        """Give each answer to whoever asked, each push to its subscription, until the connection ends."""
        why, is_too_big, is_oversized = "the connection was lost", False, False
        try:
            while True:
                data = await line.socket.recv(decode=False)
                message = bounded.parsed(data)
                if isinstance(message, dict):
                    self._dispatch(line, message, len(data))
        except ConnectionClosed as closed:
            is_too_big = closed.rcvd is not None and closed.rcvd.code == _TOO_BIG
            is_oversized = closed.sent is not None and closed.sent.code == _TOO_BIG
        except bounded.UnfitAnswerError as error:
            why = f"the answer is not used: {error}; is `rpc_url` a JSON-RPC endpoint?"
        finally:
            self._lost(line, None if is_oversized else why, is_too_big=is_too_big)
            await line.socket.close()

    def _dispatch(self, line: _Line, message: dict[str, Any], size: int) -> None:
        if message.get("method") == "eth_subscription":
            params = message.get("params")
            if isinstance(params, dict):
                subscription = line.pushed.get(str(params.get("subscription")))
                if subscription is not None:
                    subscription.on_push(params.get("result"))
            return
        id_of = message.get("id")
        if id_of is None and "error" in message and len(line.pending) == 1:
            id_of = next(iter(line.pending))  # a node that has had enough may not even look at the request
        pending = line.pending.pop(id_of, None) if isinstance(id_of, int) else None
        if pending is None:
            return
        subscription, id_ = pending.subscription, message.get("result")
        if subscription is not None and isinstance(id_, str) and subscription in self._subscriptions:
            line.pushed[id_] = subscription  # at once: the first push may be right behind
            subscription.id = id_
        if pending.answer.done():
            return
        if size > bounded.most_bytes(pending.method):
            pending.answer.set_exception(bounded.oversized(self._name, pending.method))
        else:
            pending.answer.set_result(message)

    def _lost(self, line: _Line, why: str | None, *, is_too_big: bool) -> None:
        """Fail whatever waits for an answer; ``why`` is None when one of the answers was too long."""
        if self._line is line:
            self._line = None
        largest = max((p.size for p in line.pending.values()), default=0)
        for pending in line.pending.values():
            if pending.answer.done():
                continue
            if is_too_big and pending.size == largest:
                error: NodeError = TooBigError(
                    self._name, pending.method, _TOO_BIG, "the node dropped the connection: too large", None
                )
            elif why is None:
                error = bounded.oversized(self._name, pending.method, self._largest)
            else:
                error = NodeAwayError(self._name, pending.method, why)
            pending.answer.set_exception(error)
        line.pending.clear()
        for subscription in line.pushed.values():
            subscription.id, subscription.was_lost = None, True
            subscription.on_gap()
        line.pushed.clear()

    # --- subscriptions -----------------------------------------------------------------------------------------------

    async def _keep_up(self) -> None:
        """Hold a connection for as long as anything is subscribed, and say all subscriptions on each new one."""
        pause = BACKOFF_S[0]
        while self._subscriptions:
            self._wanted.clear()
            try:
                line = await self._connected("eth_subscribe")
                for subscription in [s for s in self._subscriptions if not s.is_live]:
                    await self._confirm(subscription)
            except NodeError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, BACKOFF_S[1])
                continue
            pause = BACKOFF_S[0]
            await self._until_lost_or_wanted(line)

    async def _confirm(self, subscription: Subscription) -> None:
        # a node that refuses is asked again on the next connection only; until then nothing is pushed
        await self._ask(("eth_subscribe", subscription.params), subscription)
        if subscription.is_live and subscription.was_lost:
            subscription.on_gap()

    async def _until_lost_or_wanted(self, line: _Line) -> None:
        wanted = asyncio.create_task(self._wanted.wait())
        try:
            await asyncio.wait({t for t in (wanted, line.reader) if t}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            wanted.cancel()

    async def _quietly(self, method: str, params: tuple[Any, ...]) -> object:
        try:
            return await self._ask((method, params))
        except NodeError:
            return None
