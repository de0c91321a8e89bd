"""Heads that nodes push: no request, the same rules as for heads that were asked for; asked for where none come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from rpc_server import CHAIN, Bench, Server, head_of
from test_socket import FakeNode

from keeper.chain.blocks import Blocks
from keeper.chain.nodes import Nodes
from keeper.core.units import Address

MULTICALL = Address("0x" + "ca" * 20)
PATIENCE_S = 30


class Pushing(FakeNode):
    """A WebSocket node on a chain of headers."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = Server()
        self.reply = self._answer

    async def mine(self, count: int = 1) -> None:
        self.chain.head += count
        await self.push("0xab", self.chain.header(self.chain.head))

    def _answer(self, asked: dict[str, Any]) -> Any:
        if asked["method"] == "eth_subscribe":
            return "0xab"
        return self.chain.answer(asked["method"], asked["params"])["result"]


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Pushing, Pushing]]:
    nodes = Pushing(), Pushing()
    for node in nodes:
        await node.start()
    yield nodes
    for node in nodes:
        await node.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - whatever it looks at knows no event
            await asyncio.sleep(0.005)


async def followed(nodes: Nodes) -> asyncio.Event:
    """Nodes whose heads are pushed, and the event that says so; every chain was checked."""
    news = asyncio.Event()
    nodes.follow(news.set, PATIENCE_S)
    await nodes.check_chains()
    await until(lambda: nodes.are_told)
    await head_of(nodes)
    return news


async def next_of(nodes: Nodes, news: asyncio.Event) -> int:
    await asyncio.wait_for(news.wait(), 10)
    news.clear()
    return await head_of(nodes)


async def test_a_pushed_head_costs_no_request(bench: Bench, pair: tuple[Pushing, Pushing]) -> None:
    """And the block of it is the block that was pushed."""
    nodes = bench.nodes(pair[0].url)
    blocks = Blocks(nodes, CHAIN, MULTICALL)
    news = await followed(nodes)
    pair[0].asked.clear()
    for number in (101, 102, 103):
        await pair[0].mine()
        assert await next_of(nodes, news) == number
        assert (await blocks.head()).hash == pair[0].chain.hash(number)
    assert pair[0].asked == []


async def test_the_first_of_several_to_push_is_followed_at_once(bench: Bench, pair: tuple[Pushing, Pushing]) -> None:
    """The other's push of the same block is no news; nobody is asked."""
    nodes = bench.nodes(*(node.url for node in pair))
    news = await followed(nodes)
    for node in pair:
        await node.mine()
        assert await next_of(nodes, news) == 101
    for node in pair:
        node.asked.clear()
    await pair[1].mine()
    assert await next_of(nodes, news) == 102
    await pair[0].mine()
    assert await next_of(nodes, news) == 102
    assert pair[0].asked == pair[1].asked == []


async def test_pushed_heads_never_go_backwards(bench: Bench, pair: tuple[Pushing, Pushing]) -> None:
    """One node pushes an older head, and another history that nobody else has left for."""
    nodes = bench.nodes(*(node.url for node in pair))
    news = await followed(nodes)
    await pair[0].mine(3)
    assert await next_of(nodes, news) == 103
    await pair[1].mine()
    assert await next_of(nodes, news) == 103
    pair[1].chain.fork(after=101)
    await pair[1].mine(1)
    assert await next_of(nodes, news) == 103


async def test_a_node_alone_is_followed_through_a_reorg(bench: Bench, pair: tuple[Pushing, Pushing]) -> None:
    """It pushes the blocks of its new history one by one."""
    nodes = bench.nodes(pair[0].url)
    news = await followed(nodes)
    await pair[0].mine()
    assert await next_of(nodes, news) == 101
    pair[0].chain.fork(after=100)
    for number in (101, 102):
        await pair[0].push("0xab", pair[0].chain.header(number))
        assert await next_of(nodes, news) == number
    assert (await nodes.request("eth_getBlockByNumber", "latest", False))["hash"] == pair[0].chain.hash(102)


async def test_a_node_that_stops_pushing_is_asked(bench: Bench, pair: tuple[Pushing, Pushing]) -> None:
    """Its connection is up, and nothing comes."""
    nodes = bench.nodes(pair[0].url)
    news = await followed(nodes)
    await pair[0].mine()
    assert await next_of(nodes, news) == 101
    pair[0].chain.head = 110
    assert await head_of(nodes) == 101
    bench.clock.ahead = PATIENCE_S + 1
    assert await head_of(nodes) == 110


async def test_what_was_missed_while_a_connection_was_lost_is_asked_for(
    bench: Bench, pair: tuple[Pushing, Pushing]
) -> None:
    """Losing it is news, and so is having it back; the newest head is asked for, not the last that was pushed."""
    nodes = bench.nodes(pair[0].url)
    news = await followed(nodes)
    await pair[0].mine()
    assert await next_of(nodes, news) == 101
    await pair[0].lines[-1].close()
    await asyncio.wait_for(news.wait(), 10)
    pair[0].chain.head = 107
    assert await head_of(nodes) == 107
    await until(lambda: nodes.are_told)
    await pair[0].mine()
    await until(news.is_set)
    assert await head_of(nodes) == 108


async def test_a_header_that_is_incomplete_is_not_a_head(bench: Bench, pair: tuple[Pushing, Pushing]) -> None:
    nodes = bench.nodes(pair[0].url)
    news = await followed(nodes)
    await pair[0].push("0xab", {"number": "0x70"})
    await pair[0].mine()
    assert await next_of(nodes, news) == 101


async def test_beside_nodes_that_push_others_are_polled(bench: Bench, pair: tuple[Pushing, Pushing]) -> None:
    """Not everybody pushes: whoever waits goes on asking as often as without."""
    http = await bench.server()
    nodes = bench.nodes(pair[0].url, http)
    nodes.follow(lambda: None, PATIENCE_S)
    await nodes.check_chains()
    await until(lambda: nodes.members[0].pushes_heads)
    assert not nodes.are_told
    http.head = 102
    await head_of(nodes)
    await until(lambda: http.asked["eth_getBlockByNumber"])
    await asyncio.sleep(0.05)
    assert await head_of(nodes) == 102
