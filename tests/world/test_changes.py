"""What a market says of its own changes is heard, and what is known is found anew off the path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from proxy import RpcProxy

from bench.scene import write_settings
from keeper.core.lending.rules import LendingAssessment
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.service.app import opened
from keeper.settings import load
from keeper.snapshot.market_events import EVERY_S
from sandbox.world import World

pytestmark = pytest.mark.world


@asynccontextmanager
async def listening(world: World, folder: Path, url: str) -> AsyncIterator[Engine]:
    owner = world.account(0).address
    world.open_position(owner, collateral={"WETH": 10**19}, debt={"USDC": 5000 * 10**6})
    async with opened(load(write_settings(folder, world, [owner], rpc_url=url), {}), is_live=False) as engine:
        await engine.reader.blocks.check_chain()
        engine.reader.listen()
        await block(engine)
        yield engine


async def block(engine: Engine) -> bool:
    """Judge the newest block; whether all agrees to the wei."""
    (result,) = await cycle(engine, await engine.reader.blocks.head())
    return isinstance(result.assessed, LendingAssessment)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - found in the background
            await asyncio.sleep(0.005)


async def test_a_pushed_event_makes_the_market_be_found_anew(world: World, tmp_path: Path) -> None:
    """A cap is changed; the next block is judged by what was known, one after it by what is found."""
    async with listening(world, tmp_path, world.url.replace("http", "ws")) as engine:
        changes = engine.reader._changes
        assert changes is not None
        await until(lambda: changes._pushed and changes._pushed.is_live)
        known = engine.reader.known
        world.mine()
        assert await block(engine)
        assert engine.reader.known is known
        world.configure("setSupplyCap", world.token("WETH").address, 10_000_000)
        await until(lambda: engine.reader._is_outdated)
        assert await block(engine)
        await until(lambda: engine.reader.known is not known)
        assert await block(engine)


async def test_where_nobody_pushes_the_logs_are_asked_for_now_and_then(
    world: World, proxy: RpcProxy, tmp_path: Path
) -> None:
    """And at no quiet block in between."""
    async with listening(world, tmp_path, proxy.url) as engine:
        known = engine.reader.known
        world.configure("setSupplyCap", world.token("WETH").address, 10_000_000)
        proxy.forget()
        assert await block(engine)
        assert "eth_getLogs" not in proxy.methods
        world.warp(EVERY_S)
        assert await block(engine)
        await until(lambda: "eth_getLogs" in proxy.methods)
        await until(lambda: engine.reader._is_outdated)
        assert await block(engine)
        await until(lambda: engine.reader.known is not known)
        proxy.forget()
        for _ in range(3):
            world.mine()
            assert await block(engine)
        assert "eth_getLogs" not in proxy.methods


async def test_another_oracle_is_found_before_anything_is_done_by_the_old_one(world: World, tmp_path: Path) -> None:
    """The provider names a new oracle: until it is known the figures disagree, and the position holds."""
    async with listening(world, tmp_path, world.url.replace("http", "ws")) as engine:
        changes = engine.reader._changes
        assert changes is not None
        await until(lambda: changes._pushed and changes._pushed.is_live)
        old, new = engine.reader.known.markets["aave_v3"].oracle, to_checksum_address("0x" + "0a" * 20)
        move_oracle(world, old, new)
        world.set_price("WETH", world.price("WETH") + 100)
        await until(lambda: engine.reader._is_outdated)
        await block(engine)
        await until(lambda: engine.reader.known.markets["aave_v3"].oracle != old)
        assert await block(engine)


def move_oracle(world: World, old: str, new: str) -> None:
    """The same oracle, with its sources, at another address; the provider is told."""
    world.rpc("anvil_setCode", new, world.rpc("eth_getCode", old, "latest"))
    assets = [int(world.token(symbol).address, 16).to_bytes(32, "big") for symbol in world.addresses["tokens"]]
    for slot in range(4):
        mapped = [keccak(asset + slot.to_bytes(32, "big")) for asset in assets]
        for place in (slot.to_bytes(32, "big"), *mapped):
            word = world.rpc("eth_getStorageAt", old, "0x" + place.hex(), "latest")
            world.rpc("anvil_setStorageAt", new, "0x" + place.hex(), word)
    provider = world.chain.at("PoolAddressesProvider", world.addresses["aave"]["pool_addresses_provider"])
    world.chain.send(provider.functions.setPriceOracle(new), world.role("admin"))
