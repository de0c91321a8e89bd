"""Which figures another node is asked for at each block, and what its answers do."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_abi import encode

sys.path.insert(0, str(Path(__file__).parents[1] / "chain"))  # for rpc_server.py

from rpc_server import CHAIN, Bench, Server, hash_of, head_of

from keeper.chain.blocks import Blocks
from keeper.chain.chunks import Bundle, Caps
from keeper.chain.nodes import Nodes
from keeper.chain.record import Aside
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.snapshot.second_reader import SecondLook
from keeper.venues.ports import Read

MULTICALL = Address("0xcA11bde05977b3631167028862bE2a173976CA11")
BLOCK = BlockRef(CHAIN, 100, hash_of(100), hash_of(99), 1_700_000_000 + 1200, Wei(1))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()


def answer(*values: int) -> str:
    words = [encode(["uint256"], [n]) for n in (BLOCK.timestamp, CHAIN, *values)]
    return "0x" + encode(["(bool,bytes)[]"], [[(True, w) for w in words]]).hex()


def read(i: int) -> Read:
    return Read(MULTICALL, i.to_bytes(4, "big"))


def page(count: int) -> Any:
    """A page of positions p0, p1, …, one read each."""
    at = {f"p{i}": (i,) for i in range(count)}
    return SimpleNamespace(at=at, reads=tuple(read(i) for i in range(count)), told_by=lambda _block, said: told(said))


def told(said: Any) -> Any:
    return {f"p{i}": int.from_bytes(x, "big") for i, x in enumerate(said)}


async def three(bench: Bench, count: int = 2) -> tuple[list[Server], Nodes, Blocks]:
    servers = [await bench.server() for _ in range(count)]
    nodes = bench.nodes(*servers)
    await nodes.check_chains()
    await head_of(nodes)
    for server in servers:
        server.asked.clear()
        server.call_result = answer(5, 6)
    return servers, nodes, Blocks(nodes, CHAIN, MULTICALL)


async def looked(blocks: Blocks, block_time_s: float = 12) -> tuple[Any, list[str]]:
    """Read a page of two beside a second look; return what differs, and the titles of the alarms."""
    alarms = list[str]()
    second = SecondLook(blocks, block_time_s, lambda _key, title, _detail: alarms.append(title))
    wanted = page(2)
    look = second.begin(BLOCK, wanted, Bundle(()))
    own = await blocks.answers(BLOCK, wanted.reads)
    if look is None:
        return None, alarms
    return await second.compared(look, BLOCK, wanted, own, []), alarms


async def test_where_there_is_one_node_nothing_is_added(bench: Bench) -> None:
    """Not one request."""
    servers, _, blocks = await three(bench, 1)
    assert await looked(blocks) == (None, [])
    assert servers[0].asked == {"eth_call": 1}


async def test_two_nodes_that_agree_are_asked_once_each(bench: Bench) -> None:
    """And nobody hears of it."""
    servers, _, blocks = await three(bench)
    assert await looked(blocks) == ({}, [])
    assert [s.asked for s in servers] == [{"eth_call": 1}] * 2


async def test_what_differs_is_told_by_name_and_as_the_other_node_tells_it(bench: Bench) -> None:
    """One of two positions."""
    servers, nodes, blocks = await three(bench)
    await blocks.answers(BLOCK, [read(0), read(1)])
    other = servers[1] if nodes.name == "n0" else servers[0]
    other.call_result = answer(5, 7)
    found, alarms = await looked(blocks)
    assert list(found) == ["p1"]
    assert found["p1"].position == 7
    assert alarms == ["Two nodes give different figures"]


async def test_the_other_node_is_not_asked_before_ours(bench: Bench) -> None:
    """However fast it is."""
    servers, nodes, blocks = await three(bench)
    await blocks.answers(BLOCK, [read(0), read(1)])
    order = list[str]()
    for i, server in enumerate(servers):
        truth = server.answer
        server.answer = lambda m, p, i=i, truth=truth: (order.append(f"n{i}"), truth(m, p))[1]  # type: ignore[method-assign]
    for _ in range(5):
        order.clear()
        await looked(blocks)
        assert order[0] == nodes.name


@pytest.mark.slow
async def test_one_that_is_late_is_not_waited_for_and_heard_all_the_same(bench: Bench) -> None:
    """No rescue waits for it; what it says later is compared, and told."""
    servers, nodes, blocks = await three(bench)
    await blocks.answers(BLOCK, [read(0), read(1)])
    other = servers[1] if nodes.name == "n0" else servers[0]
    other.call_result, other.delay_s = answer(5, 7), 1.0
    begun = time.monotonic()
    found, alarms = await looked(blocks, block_time_s=1)
    assert time.monotonic() - begun < 0.9
    assert (found, alarms) == ({}, [])
    await asyncio.sleep(1)
    assert alarms == ["Two nodes give different figures"]


@pytest.mark.slow
async def test_one_that_was_late_once_is_waited_for_as_before_when_it_has_answered(bench: Bench) -> None:
    """One hiccup does not take its word away; only while it hangs is it waited for less."""
    servers, nodes, blocks = await three(bench)
    await blocks.answers(BLOCK, [read(0), read(1)])
    other = servers[1] if nodes.name == "n0" else servers[0]
    second, wanted = SecondLook(blocks, 1, lambda *_: None), page(2)

    async def compared() -> tuple[list[str], float]:
        look = second.begin(BLOCK, wanted, Bundle(()))
        own, begun = await blocks.answers(BLOCK, wanted.reads), time.monotonic()
        assert look is not None
        return list(await second.compared(look, BLOCK, wanted, own, [])), time.monotonic() - begun

    other.delay_s, other.call_result = 1.2, answer(5, 7)
    assert (await compared())[0] == []
    found, waited = await compared()
    assert (found, waited < 0.4) == ([], True)
    await asyncio.sleep(1.3)
    other.delay_s = 0.35
    assert (await compared())[0] == ["p1"]


@pytest.mark.parametrize("result", ["0x", "0x" + "00" * 64, answer(1)[:-64], "0x" + "ff" * 640])
async def test_nonsense_from_the_other_node_is_no_disagreement(bench: Bench, result: str) -> None:
    """It is a failure of that node."""
    servers, nodes, blocks = await three(bench)
    await blocks.answers(BLOCK, [read(0), read(1)])
    other = servers[1] if nodes.name == "n0" else servers[0]
    other.call_result = result
    assert await looked(blocks) == ({}, [])


async def test_of_three_nodes_the_one_that_most_contradict_is_set_aside(bench: Bench) -> None:
    """Whether it was ours or the other one."""
    servers, nodes, blocks = await three(bench, 3)
    await blocks.answers(BLOCK, [read(0), read(1)])
    ours = int(nodes.name[1:])
    servers[ours].call_result = answer(5, 7)
    await looked(blocks)
    await asyncio.sleep(0.3)
    assert bench.told == [(nodes.name if ours == int(nodes.name[1:]) else f"n{ours}", Aside.LYING)]


# --- what goes into one call -----------------------------------------------------------------------------------------


def second_look(reads: int) -> SecondLook:
    blocks: Any = SimpleNamespace(caps=Caps(reads, 10**9, 10**9))
    return SecondLook(blocks, 12, lambda *_: None)


def test_what_fits_is_all_compared_at_each_block() -> None:
    """Most owners have few positions."""
    second, wanted = second_look(100), page(8)
    for _ in range(3):
        assert second._chosen(wanted, Bundle(())) == (tuple(range(8)), ())


def test_of_more_those_near_a_rule_always_and_the_others_in_turns() -> None:
    """Nobody is left out for long."""
    second, wanted = second_look(4), page(11)
    second.near(["p3", "p7"])
    seen = set[int]()
    for _ in range(6):
        places, _ = second._chosen(wanted, Bundle(()))
        assert {3, 7} <= set(places)
        assert len(places) == 4
        seen |= set(places)
    assert seen == set(range(11))


def test_the_rest_of_a_fleet_is_compared_in_turns() -> None:
    """By the protocol's figures, as many as the call has room for."""
    second, wanted, fleet = second_look(10), page(4), Bundle([read(100 + i) for i in range(20)])
    seen = set[int]()
    for _ in range(4):
        places, ships = second._chosen(wanted, fleet)
        assert len(places) + len(ships) == 10
        seen |= set(ships)
    assert seen == set(range(20))
