"""A rescue near liquidation and below it: with a loan of the same transaction against rounds, call by call.

One hundred ether against 152,000 dollars, to a health factor of 1.60, from five healths. What sales lost against the
feed is ``equity_lost_usd``, gas aside.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.effort import Effort
from bench.rows import Row
from bench.scene import E6, E18, RULE, opened, write_settings
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.journal import Transaction
from sandbox.world import World

LIMITED = RULE + "[rules.limits]\nmax_slippage_bps = 100\n"

PRICES = {"1_15": "2106.02", "1_10": "2014.46", "1_05": "1922.89", "1_016": "1860.63", "0_985": "1803.86"}
"""By the health factor that each leaves."""
MOST_GAS = 600_000
MOST_LOOKS = 12
TARGET = 1.60
LEAST = 0.999
"""Part of the target that counts as reached: interest until it was mined."""


async def measure(_: Effort) -> list[Row]:
    with World.start() as world:
        from bench import flash_safe  # noqa: PLC0415 - it builds upon this

        plain = [await row(world, name, price) for name, price in PRICES.items()]
        return [*plain, *await flash_safe.rows(world)]


async def row(world: World, name: str, price: str) -> Row:
    """One line of the table: the bound is on the bundle, which must be one and reach the target."""
    flash, bundles = await rescue(world, price, lends=True)
    rounds, _ = await rescue(world, price, lends=False)
    is_kept = flash["health"] >= TARGET * LEAST and len(bundles) == flash["transactions"] == 1
    note = f"one bundle to 1.60, its permit inside: {text(flash)}; rounds: {text(rounds)}"
    gas = [sum(bundles) if is_kept else float("inf")]
    return Row(f"rescue_hf_{name}", "gas", gas, note, most=MOST_GAS, more={"flash": flash, "rounds": rounds})


def text(found: dict[str, Any]) -> str:
    return f"{found['transactions']} transactions, {found['gas']} gas, health {found['health']:.4f}"


async def rescue(world: World, price: str, *, lends: bool) -> tuple[dict[str, Any], list[int]]:
    """What became of one position in danger, and the gas of each bundle; the world is as it was afterwards."""
    snapshot, owner = world.snapshot(), world.account(0).address
    with tempfile.TemporaryDirectory() as folder:
        set_the_scene(world, owner, price)
        path = write_settings(Path(folder), world, [owner], rpc_url=world.url, rule=LIMITED, lends=lends)
        before = equity(world, owner)
        async with opened(path, live=True) as engine:
            async with block_by_block(world):
                await kept(engine)
            sent = [t for t in await engine.journal.transactions.recent(500) if t.block_number]
        found = {
            "gas": sum(t.gas_used or 0 for t in sent),
            "transactions": len(sent),
            "blocks": len({t.block_number for t in sent}),
            "health": round(float(world.health_factor(owner)), 4),
            "equity_lost_usd": round(before - equity(world, owner), 2),
        }
    world.revert(snapshot)
    return found, [t.gas_used or 0 for t in sent if is_bundle(world, t)]


async def kept(engine: Engine) -> None:
    """Look at blocks until the position is restored, or nothing more is done."""
    for _ in range(MOST_LOOKS):
        await cycle(engine, await engine.reader.blocks.head())
        await engine.settle()
        done = await engine.journal.decisions.recent(1)
        if not done or done[0].kind != "act" or done[0].outcome_kind == "restored":
            return


@asynccontextmanager
async def block_by_block(world: World) -> AsyncIterator[None]:
    """Blocks come by themselves, one a second, whatever is sent."""
    world.rpc("evm_setAutomine", False)
    world.rpc("evm_setIntervalMining", 1)
    try:
        yield
    finally:
        world.rpc("evm_setIntervalMining", 0)
        world.rpc("evm_setAutomine", True)


def set_the_scene(world: World, owner: str, price: str) -> None:
    """The position, the dollars spent, and the fall that the pools follow."""
    world.open_position(owner, collateral={"WETH": 100 * E18}, debt={"USDC": 152_000 * E6})
    away = world.token("USDC").functions.transfer(world.role("lp"), world.balance("USDC", owner))
    with world.acting_as(owner):
        world.chain.send(away, owner)
    world.set_price("WETH", price)
    world.align_pools()
    world.warp(600)
    world.refresh_feeds()


def equity(world: World, owner: str) -> float:
    """Dollars of the owner by the feed: wallet and supply, less debt."""
    units = {"WETH": E18, "USDC": E6}
    return sum(
        float(world.price(symbol))
        * (world.balance(symbol, owner) + world.supplied(symbol, owner) - world.debt(symbol, owner))
        / unit
        for symbol, unit in units.items()
    )


def is_bundle(world: World, sent: Transaction) -> bool:
    return sent.to.lower() == str(world.addresses["bundler"]["bundler"]).lower()
