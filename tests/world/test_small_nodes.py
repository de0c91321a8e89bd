"""Nodes that take little at once: gas, bytes, reads. What they refuse or starve is never taken for an answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import proxy as faults
import pytest
from eth_utils.address import to_checksum_address
from proxy import RpcProxy

from bench.scene import write_settings
from keeper.chain.blocks import Blocks
from keeper.chain.chunks import laid_out
from keeper.chain.client import Node
from keeper.chain.errors import NodeRefusedError
from keeper.core.lending.rules import LendingAssessment
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.service.app import opened
from keeper.settings import load
from keeper.venues.contracts import multicall3
from keeper.venues.ports import Answer, Read
from sandbox.world import World

pytestmark = pytest.mark.world


def gas_cap(gas: int) -> faults.Fault:
    """geth's rpc.gascap: no call gets more, whatever it asks for."""

    def fault(request: faults.Request) -> None:
        if request["method"] == "eth_call":
            request["params"][0]["gas"] = hex(gas)

    return fault


def most_bytes(size: int, answer: faults.Answer) -> faults.Fault:
    """A gateway that takes only so much."""
    return lambda request: answer if len(json.dumps(request)) > size else None


def said(message: str) -> faults.Answer:
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": message}}
    return 200, "application/json", json.dumps(error).encode()


def unknown_gas(fault: faults.Fault) -> faults.Fault:
    """The node does not run code without an address, so that it cannot tell what it grants."""
    refuse = failing_deployments()
    return lambda request: refuse(request) or fault(request)


def failing_deployments() -> faults.Fault:
    return lambda r: said("no") if r["method"] == "eth_call" and "to" not in r["params"][0] else None


@asynccontextmanager
async def engine(path: Path) -> AsyncIterator[Engine]:
    async with opened(load(path, {}), is_live=False) as parts:
        await parts.reader.blocks.check_chain()
        yield parts


@pytest.fixture
def crowd(world: World) -> list[str]:
    owners = [world.account(0).address, *(to_checksum_address(f"0x{0xABC000 + i:040x}") for i in range(11))]
    for i, owner in enumerate(owners):
        world.open_position(owner, collateral={"WETH": (10 + i) * 10**18}, debt={"USDC": (5000 + i) * 10**6})
    return owners


@pytest.mark.parametrize(
    "fault",
    [
        gas_cap(2_000_000),
        gas_cap(700_000),
        unknown_gas(gas_cap(2_000_000)),
        unknown_gas(gas_cap(700_000)),
        most_bytes(20_000, said("request too large")),
        most_bytes(20_000, (413, "text/plain", b"no")),
    ],
)
async def test_a_node_that_takes_little_still_tells_everything(
    world: World, proxy: RpcProxy, tmp_path: Path, crowd: list[str], fault: faults.Fault
) -> None:
    """Every account to the wei, and what was learnt is kept: later blocks are refused nothing."""
    path = write_settings(tmp_path, world, crowd, rpc_url=proxy.url)
    proxy.fault = fault
    async with engine(path) as parts:
        results = await cycle(parts, await parts.reader.blocks.head())
        for _ in range(2):
            world.mine()
            proxy.forget()
            results = await cycle(parts, await parts.reader.blocks.head())
        for owner, result in zip(crowd, results, strict=True):
            assert isinstance(result.assessed, LendingAssessment), result.assessed
            assert result.assessed.figures.health_factor == world.account_data(owner).health_factor
        calls = proxy.methods["eth_call"]
        world.mine()
        proxy.forget()
        await cycle(parts, await parts.reader.blocks.head())
        assert proxy.methods["eth_call"] == calls


BURNS = Address("0x" + "b0" * 20)
BURNING = "0x620186a0" + "5b60019003806004" + "57600160005260206000f3"
"""Counts down from 100,000, 26 gas each, and returns 1."""


async def test_a_read_that_starves_is_not_a_read_that_reverts(world: World, proxy: RpcProxy, crowd: list[str]) -> None:
    """Gas runs out in the middle of a call that itself succeeds: what failed in it is asked again, and is there."""
    world.rpc("anvil_setCode", BURNS, BURNING)
    node = Node(proxy.url)
    reads = [*(multicall3.balance_of().read(multicall3.ADDRESS, owner) for owner in crowd), Read(BURNS, b"", 10**6)]
    starved = 0
    for gas in range(2_700_000, 2_900_000, 4_000):
        proxy.fault = gas_cap(gas)
        blocks = Blocks(node, world.addresses["chain_id"], multicall3.ADDRESS)
        head = await blocks.head()
        alone, together = await asked(blocks, head, reads[-1:]), await asked(blocks, head, reads)
        if alone[-1] is not None:  # else there is no gas for it at all
            starved += len(together) == len(reads) + 2 and together[-1] is None
            assert (await blocks.answers(head, reads))[-1] == (1).to_bytes(32, "big")
    assert starved > 3  # else nothing was tried
    await node.close()


async def asked(blocks: Blocks, block: BlockRef, reads: list[Read]) -> list[Answer]:
    """What a node says in one plain call; failures all through where it refuses."""
    call = {"to": blocks.multicall, "data": laid_out(reads, blocks.multicall).data}
    try:
        found = await blocks.node.request("eth_call", call, {"blockHash": block.hash})
    except NodeRefusedError:
        return [None]
    return multicall3.decode(bytes.fromhex(found[2:]), len(reads) + 2)


async def test_a_read_that_reverts_is_believed_and_not_asked_again(world: World, proxy: RpcProxy) -> None:
    """Else each block would cost two requests wherever a market lacks a function."""
    node = Node(proxy.url)
    blocks = Blocks(node, world.addresses["chain_id"], multicall3.ADDRESS)
    reads = [Read(Address(world.pool.address), b"\x12\x34\x56" + bytes([i])) for i in range(20)]
    head = await blocks.head()
    proxy.forget()
    assert await blocks.answers(head, reads) == [None] * 20
    assert await blocks.answers(head, reads) == [None] * 20
    assert proxy.methods["eth_call"] < 10
    proxy.forget()
    await blocks.answers(head, reads)
    assert proxy.methods["eth_call"] == 1
    await node.close()
