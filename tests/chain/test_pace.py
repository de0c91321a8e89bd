"""Nodes that grant so many requests a second: everything is answered in the end, and nothing is given up for a 429."""

from __future__ import annotations

import asyncio
import json
import time
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from rpc_server import Bench, Server, hash_of, head_of
from test_socket import FakeNode
from websockets.http11 import Request, Response

from keeper.chain.client import Node
from keeper.chain.errors import NodeBusyError
from keeper.chain.nodes import Nodes
from keeper.chain.pace import LONGEST_S, RequestPace
from keeper.chain.retry_after import seconds_of

AT = {"blockHash": hash_of(100)}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def busy(after_s: float | None = None, allowed: float | None = None) -> NodeBusyError:
    return NodeBusyError("n", "eth_call", "", after_s, allowed)


async def burst(nodes: Nodes, count: int) -> float:
    """Ask many things at once, as an acting block does; the seconds until all are answered."""
    begun = time.monotonic()
    found = await asyncio.gather(*(nodes.request("eth_call", {}, AT) for _ in range(count)))
    assert set(found) == {"0x01"}
    return time.monotonic() - begun


async def limited(bench: Bench, limit: int = 10) -> tuple[Server, Nodes]:
    server = await bench.server()
    nodes = bench.nodes(server)
    await nodes.check_chains()
    await head_of(nodes)
    server.limit = limit
    return server, nodes


# --- on the real path ------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_burst_above_what_the_node_grants_is_answered_all_the_same(bench: Bench) -> None:
    """Ten a second by a window that slides, thirty at once: in about three seconds, and not one is lost."""
    _, nodes = await limited(bench)
    assert await burst(nodes, 30) < 12
    assert nodes.members[0].record.failures == 0
    assert 8 <= (nodes.members[0].node.pace.allowed or 0) <= 10


@pytest.mark.slow
async def test_what_a_node_grants_is_learned(bench: Bench) -> None:
    """The second burst is hardly refused any more: one that overtakes another may be."""
    server, nodes = await limited(bench)
    await burst(nodes, 20)
    await asyncio.sleep(1.1)
    server.limited.clear()
    await burst(nodes, 20)
    assert len(server.limited) <= 3


@pytest.mark.slow
async def test_a_pace_that_was_set_is_kept_from_the_start(bench: Bench) -> None:
    """Not one refusal."""
    server, nodes = await limited(bench)
    nodes.members[0].node.pace = RequestPace(10)
    await burst(nodes, 25)
    assert server.limited == []


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32005, "message": "project ID request rate exceeded"},
        {"code": 429, "message": "Your app has exceeded its compute units per second capacity."},
        {"code": -32007, "message": "10/second request limit reached"},
    ],
)
@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.slow
async def test_a_limit_told_in_json_is_kept_as_well(bench: Bench, error: dict[str, object], status: int) -> None:
    """Some providers answer HTTP 200."""
    server, nodes = await limited(bench)
    server.limit_answer = lambda: web.json_response({"jsonrpc": "2.0", "id": 1, "error": error}, status=status)
    assert await burst(nodes, 25) < 12


@pytest.mark.slow
async def test_retry_after_is_waited_for(bench: Bench) -> None:
    """Before that the node is not asked again, whatever is asked."""
    server, nodes = await limited(bench, limit=0)
    server.limit_answer = lambda: web.Response(status=429, headers={"Retry-After": "1"})
    task = asyncio.create_task(nodes.request("eth_call", {}, AT))
    await asyncio.sleep(0.5)
    server.limit = 10
    assert await task == "0x01"
    assert len(server.limited) == 1


async def test_a_wait_beyond_reason_is_said_at_once(bench: Bench) -> None:
    """An hour cannot be waited for within a block: the node counts as busy, and is not asked meanwhile."""
    server, nodes = await limited(bench, limit=0)
    server.limit_answer = lambda: web.Response(status=429, headers={"Retry-After": "3600"})
    for _ in range(3):
        with pytest.raises(NodeBusyError):
            await nodes.request("eth_call", {}, AT)
        with pytest.raises(NodeBusyError):
            await head_of(nodes)
    assert len(server.limited) == 1


@pytest.mark.slow
async def test_signed_bytes_a_node_had_no_time_for_are_handed_over_again(bench: Bench) -> None:
    """A plan half sent is not given up for a 429, and its sends go before reads."""
    server, nodes = await limited(bench, limit=3)
    reads = [asyncio.create_task(nodes.request("eth_call", {}, AT)) for _ in range(12)]
    await asyncio.sleep(0.05)
    sent = await asyncio.gather(*(nodes.send(f"0x0{i}", public=True) for i in range(4)))
    assert all(s.is_taken for s in sent)
    assert not all(task.done() for task in reads)
    assert sorted(server.taken) == ["0x00", "0x01", "0x02", "0x03"]
    await asyncio.gather(*reads)


@pytest.mark.slow
async def test_while_one_node_has_no_time_the_other_is_asked(bench: Bench) -> None:
    """Nobody waits where another can answer."""
    a, b = await bench.server(), await bench.server()
    nodes = bench.nodes(a, b)
    await nodes.check_chains()
    await head_of(nodes)
    await nodes.request("eth_call", {}, AT)
    best = a if a.asked["eth_call"] else b
    best.limit, best.limit_answer = 0, lambda: web.Response(status=429, headers={"Retry-After": "30"})
    assert await burst(nodes, 10) < 10, "its node wants thirty seconds"
    assert len(best.limited) <= 10
    await burst(nodes, 10)
    assert len(best.limited) <= 10


@pytest.mark.slow
async def test_a_node_that_grants_nothing_ends_the_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a bound on waiting, and it says why."""
    monkeypatch.setattr("keeper.chain.patience.BUSY_S", 1.0)
    _, nodes = await limited(bench, limit=0)
    begun = time.monotonic()
    with pytest.raises(NodeBusyError, match="429"):
        await nodes.request("eth_call", {}, AT)
    assert time.monotonic() - begun < 10


@pytest.mark.slow
async def test_over_websocket_the_pace_is_kept_too() -> None:
    """The refused request is asked again on the same connection."""
    fake, granted = FakeNode(), list[float]()

    def reply(asked: dict[str, Any]) -> Any:
        now = time.monotonic()
        if sum(at > now - 1 for at in granted) >= 10:
            error = {"code": -32005, "message": "rate limit exceeded"}
            return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode()
        granted.append(now)
        return hex(31337) if asked["method"] == "eth_chainId" else "0x01"

    fake.reply = reply
    await fake.start()
    bench = Bench()
    nodes = bench.nodes(fake.url)
    assert await burst(nodes, 25) < 12
    assert len(fake.lines) == 1
    await bench.close()
    await fake.stop()


async def test_an_error_that_names_no_request_belongs_to_the_only_one() -> None:
    """Some gateways refuse before they read what was asked."""
    fake = FakeNode()
    refused = {"jsonrpc": "2.0", "id": None, "error": {"code": 429, "message": "slow down"}}
    fake.reply = lambda _: json.dumps(refused).encode()
    await fake.start()
    node = Node(fake.url, timeout_s=5)
    with pytest.raises(NodeBusyError):
        await node.request("eth_chainId")
    await node.close()
    await fake.stop()


async def test_a_websocket_that_is_refused_for_its_pace_is_a_busy_node() -> None:
    """With the time it names."""
    fake = FakeNode()

    def refuse(_line: Any, _request: Request) -> Response:
        response: Response = _line.respond(429, "slow down")
        response.headers["Retry-After"] = "7"
        return response

    await fake.start(process_request=refuse)
    node = Node(fake.url)
    with pytest.raises(NodeBusyError) as found:
        await node.request("eth_call")
    assert found.value.after_s == 7
    await node.close()
    await fake.stop()


# --- the rules -------------------------------------------------------------------------------------------------------


async def test_without_a_refusal_there_is_no_limit() -> None:
    """And no request waits."""
    pace = RequestPace()
    for _ in range(500):
        await pace.turn("n", "eth_call")
    assert pace.allowed is None


async def test_the_learned_pace_is_dared_a_little_more_again() -> None:
    """A limit may have been another program's doing; what the owner set is never exceeded."""
    clock = Clock()
    pace, set_ = RequestPace(clock=clock), RequestPace(5, clock)
    for each in (pace, set_):
        each.refused(await each.turn("n", "eth_call"), busy(allowed=4))
        assert each.allowed == 4
    clock.now += 10
    assert pace.allowed == set_.allowed == 5
    clock.now += 50
    assert (pace.allowed or 0) > 10
    assert set_.allowed == 5
    clock.now += 300
    assert pace.allowed is None


async def test_refusals_of_one_burst_are_one() -> None:
    """Ten of them at once do not double the pause ten times."""
    clock = Clock()
    pace = RequestPace(clock=clock)
    turns = [await pace.turn("n", "eth_call") for _ in range(10)]
    for at in turns:
        pace.refused(at, busy())
    assert pace.wait_s() <= 0.25
    clock.now += 0.3
    pace.refused(await pace.turn("n", "eth_call"), busy())
    assert pace.wait_s() == pytest.approx(0.5, abs=0.01)


async def test_no_node_can_silence_us_for_longer_than_a_minute() -> None:
    """Whatever it names."""
    pace = RequestPace()
    pace.refused(await pace.turn("n", "eth_call"), busy(after_s=10**9))
    assert pace.wait_s() <= LONGEST_S


async def test_less_than_one_a_second_is_a_pace_too() -> None:
    """One in two seconds."""
    clock = Clock()
    pace = RequestPace(0.5, clock)
    await pace.turn("n", "eth_call")
    assert pace.wait_s() == pytest.approx(2.2, abs=0.01)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), ("", None), (None, None), ("nan", None), ("inf", None)],
)
def test_a_retry_after_header_in_seconds(header: str | None, seconds: float | None) -> None:
    """What makes no sense says nothing."""
    assert seconds_of(header) == seconds


def test_a_retry_after_header_may_be_a_date() -> None:
    """As RFC 9110 has it; one in the past means now."""
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))
    assert 25 < (seconds_of(later) or 0) < 31
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("stated", [1e-9, 0.01, 0.5, float("1e-308")])
def test_a_node_that_says_it_grants_next_to_nothing_is_asked_once_a_second_all_the_same(stated: float) -> None:
    """Else one word of it would blind the keeper for as long as it likes."""
    now = 0.0
    pace = RequestPace(clock=lambda: now)
    pace.refused(0.0, NodeBusyError("a", "eth_call", "too many", None, stated))
    pace._sent.append(0.0)
    now = 2.0
    assert pace.wait_s() <= 1.0


@pytest.mark.parametrize("off_s", [-7200.0, 0.0, 7200.0])
def test_a_date_to_wait_for_is_told_from_the_nodes_own_clock(off_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's may be hours off: three seconds are three seconds."""
    monkeypatch.setattr("keeper.chain.retry_after.time.time", lambda: 1_800_000_000 + off_s)
    said, until = formatdate(1_800_000_000, usegmt=True), formatdate(1_800_000_003, usegmt=True)
    assert seconds_of(until, said) == 3
    assert seconds_of(until, "nonsense") == max(0, 3 - off_s)
    assert seconds_of("3", said) == 3
