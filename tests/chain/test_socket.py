"""WebSocket: requests side by side, what the node pushes, and what happens when either end misbehaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from keeper.chain.client import Node
from keeper.chain.errors import ForbiddenMethodError, NodeAwayError, NodeRefusedError, OversizedError, TooBigError
from keeper.chain.socket import SocketWire

Reply = Callable[[dict[str, Any]], Any]


class FakeNode:
    """A WebSocket node that answers as told: ``reply`` returns a result, raw bytes to send, or None for silence."""

    def __init__(self) -> None:
        self.reply: Reply = lambda asked: "0x1"
        self.asked: list[str] = []
        self.lines: list[ServerConnection] = []
        self._server: Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def start(self, **options: Any) -> None:
        self._server = await serve(self._line, "127.0.0.1", self.port, **options)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def push(self, id_: str, result: Any) -> None:
        params = {"subscription": id_, "result": result}
        await self.lines[-1].send(json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}))

    async def _line(self, line: ServerConnection) -> None:
        self.lines.append(line)
        async for message in line:
            asked = json.loads(message)
            self.asked.append(asked["method"])
            result = self.reply(asked)
            if asyncio.iscoroutine(result):
                result = await result
            if isinstance(result, bytes):
                await line.send(result.decode())
            elif isinstance(result, Exception):
                error = {"code": -32601, "message": str(result)}
                await line.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}))
            elif result is not None:
                await line.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}))


@pytest.fixture
async def fake() -> AsyncIterator[FakeNode]:
    node = FakeNode()
    await node.start()
    yield node
    await node.stop()


@asynccontextmanager
async def connected(fake: FakeNode, timeout_s: float = 5) -> AsyncIterator[Node]:
    node = Node(fake.url, timeout_s=timeout_s)
    yield node
    await node.close()


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - whatever it looks at knows no event
            await asyncio.sleep(0.005)


def subscribed(asked: dict[str, Any]) -> Any:
    return "0xab" if asked["method"] == "eth_subscribe" else "0x1"


# --- requests --------------------------------------------------------------------------------------------------------


async def test_answers_find_their_questions_in_any_order(fake: FakeNode) -> None:
    held: list[dict[str, Any]] = []

    def last_first(asked: dict[str, Any]) -> Any:
        held.append(asked)
        if len(held) < 3:
            return None
        one, two, three = ({"jsonrpc": "2.0", "id": a["id"], "result": a["params"][0]} for a in held)
        return answer_all(three, one, two)

    async def answer_all(*answers: dict[str, Any]) -> None:
        for answer in answers:
            await fake.lines[-1].send(json.dumps(answer))

    fake.reply = last_first
    async with connected(fake) as node:
        found = await asyncio.gather(*(node.request("eth_getBalance", x) for x in ("a", "b", "c")))
    assert found == ["a", "b", "c"]
    assert len(fake.lines) == 1


async def test_a_refusal_is_typed_as_over_http(fake: FakeNode) -> None:
    fake.reply = lambda asked: LookupError("no such method")
    async with connected(fake) as node:
        with pytest.raises(NodeRefusedError, match="no such method"):
            await node.request("eth_call")


async def test_a_connection_that_reads_may_not_send(fake: FakeNode) -> None:
    async with connected(fake) as node:
        with pytest.raises(ForbiddenMethodError):
            await node.request("eth_sendRawTransaction", "0x")
    assert fake.asked == []


async def test_silence_is_an_error_of_that_request_alone(fake: FakeNode) -> None:
    fake.reply = lambda asked: None if asked["method"] == "eth_call" else "0x1"
    async with connected(fake, timeout_s=0.2) as node:
        with pytest.raises(NodeAwayError, match="no answer within"):
            await node.request("eth_call")
        assert await node.request("eth_chainId") == "0x1"
    assert len(fake.lines) == 1


@pytest.mark.parametrize("said", [b"<html>", b'{"jsonrpc": "2.0", "id": '])
async def test_what_is_not_json_ends_the_connection_and_the_next_request_makes_a_new_one(
    fake: FakeNode, said: bytes
) -> None:
    fake.reply = lambda asked: said
    async with connected(fake) as node:
        with pytest.raises(NodeAwayError, match="not JSON"):
            await node.request("eth_chainId")
        fake.reply = lambda asked: "0x1"
        assert await node.request("eth_chainId") == "0x1"
    assert len(fake.lines) == 2


@pytest.mark.parametrize(
    "said", [b"[]", b"7", b'"x"', b'{"id": "1", "result": "0x2"}', b'{"id": 99, "result": "0x2"}', b'{"id": null}']
)
async def test_an_answer_to_nothing_we_asked_is_no_answer(fake: FakeNode, said: bytes) -> None:
    fake.reply = lambda asked: said
    async with connected(fake, timeout_s=0.2) as node:
        with pytest.raises(NodeAwayError, match="no answer"):
            await node.request("eth_chainId")


async def test_an_answer_that_says_nothing_is_an_error(fake: FakeNode) -> None:
    fake.reply = lambda asked: json.dumps({"jsonrpc": "2.0", "id": asked["id"]}).encode()
    async with connected(fake) as node:
        with pytest.raises(NodeAwayError, match="not JSON-RPC"):
            await node.request("eth_chainId")


async def test_an_answer_too_large_is_an_error_and_no_more_is_read(fake: FakeNode) -> None:
    wire = SocketWire(fake.url, timeout_s=5, name="n", largest=1000)
    fake.reply = lambda asked: "0x" + "00" * 2000
    with pytest.raises(OversizedError, match="longer than 1000"):
        await wire.exchange("eth_call", ())
    await wire.close()


async def test_a_request_the_node_finds_too_large_is_told_as_such() -> None:
    fake = FakeNode()
    await fake.start(max_size=1000)
    async with connected(fake) as node:
        with pytest.raises(TooBigError):
            await node.request("eth_call", "0x" + "00" * 2000)
        assert await node.request("eth_chainId") == "0x1"
    await fake.stop()


async def test_nobody_listening_is_an_error_at_once(fake: FakeNode) -> None:
    await fake.stop()
    async with connected(fake) as node:
        with pytest.raises(NodeAwayError, match="cannot be reached"):
            await node.request("eth_chainId")


# --- pushes ----------------------------------------------------------------------------------------------------------


async def test_pushes_go_to_their_subscription_until_it_is_cancelled(fake: FakeNode) -> None:
    ids = iter(["0xa", "0xb"])
    fake.reply = lambda asked: next(ids) if asked["method"] == "eth_subscribe" else True
    heads, logs = list[Any](), list[Any]()
    async with connected(fake) as node:
        head_push = node.subscribe_heads(heads.append, lambda: None)
        log_push = node.subscribe_logs([], [], logs.append)
        assert head_push is not None
        assert log_push is not None
        await until(lambda: head_push.is_live and log_push.is_live)
        await fake.push("0xa", {"number": "0x1"})
        await fake.push("0xc", {"number": "0x9"})
        await until(lambda: heads)
        head_push.cancel()
        await until(lambda: "eth_unsubscribe" in fake.asked)
        await fake.push("0xa", {"number": "0x2"})
        await node.request("eth_chainId")
    assert heads == [{"number": "0x1"}]
    assert logs == []


async def test_a_push_right_behind_its_confirmation_is_not_lost(fake: FakeNode) -> None:
    async def both(asked: dict[str, Any]) -> Any:
        await fake.lines[-1].send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": "0xa"}))
        await fake.push("0xa", {"n": 1})

    fake.reply = both
    heads = list[Any]()
    async with connected(fake) as node:
        node.subscribe_heads(heads.append, lambda: None)
        await until(lambda: heads)


async def test_a_lost_connection_is_noticed_and_subscribed_anew(
    fake: FakeNode,
) -> None:
    fake.reply = subscribed
    heads, gaps = list[Any](), list[int]()
    async with connected(fake) as node:
        pushed = node.subscribe_heads(heads.append, lambda: gaps.append(1))
        assert pushed is not None
        await until(lambda: pushed.is_live)
        assert gaps == []
        await fake.stop()
        await until(lambda: gaps)
        assert not pushed.is_live
        await fake.start()
        await until(lambda: len(gaps) == 2)  # lost, and back: what was in between is not known
        assert pushed.is_live
        await fake.push("0xab", {"number": "0x7"})
        await until(lambda: heads)


async def test_a_connection_lost_right_behind_the_confirmation_leaves_a_gap_like_any_other(fake: FakeNode) -> None:
    async def confirmed_and_gone(asked: dict[str, Any]) -> Any:
        fake.reply = subscribed
        await fake.lines[-1].send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": "0xab"}))
        await fake.lines[-1].close()

    fake.reply = confirmed_and_gone
    gaps = list[int]()
    async with connected(fake) as node:
        node.subscribe_heads(lambda _: None, lambda: gaps.append(1))
        await until(lambda: len(gaps) == 2)  # lost, and back


async def test_a_node_that_refuses_subscriptions_still_answers(fake: FakeNode) -> None:
    fake.reply = lambda asked: LookupError("notifications not supported") if "sub" in asked["method"] else "0x1"
    async with connected(fake) as node:
        pushed = node.subscribe_heads(lambda _: None, lambda: None)
        assert pushed is not None
        assert await node.request("eth_chainId") == "0x1"
        await until(lambda: "eth_subscribe" in fake.asked)
        assert not pushed.is_live
    assert fake.asked.count("eth_subscribe") == 1


async def test_a_log_that_makes_no_sense_is_a_gap_and_not_a_log(fake: FakeNode) -> None:
    fake.reply = subscribed
    logs, gaps = list[Any](), list[int]()
    async with connected(fake) as node:
        pushed = node.subscribe_logs([], [], logs.append, lambda: gaps.append(1))
        assert pushed is not None
        await until(lambda: pushed.is_live)
        await fake.push("0xab", {"address": "0x12"})
        await until(lambda: gaps)
    assert logs == []


async def test_http_and_a_relay_push_nothing(fake: FakeNode) -> None:
    for node in (Node("http://127.0.0.1:9"), Node(fake.url, allowed=frozenset({"eth_chainId"}))):
        assert not node.can_push
        assert node.subscribe_heads(lambda _: None, lambda: None) is None
        await node.close()
