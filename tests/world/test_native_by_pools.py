"""What gas costs where only pools say it: found between the native token and a perpetual's collateral, and averaged."""

from __future__ import annotations

import pytest
from scenes import DOLLAR, Scene
from second_exchange import named, second_desk, table

from keeper.core.units import USD
from keeper.engine.beginning import begun
from keeper.service.app import opened
from keeper.settings import load
from sandbox.spec import PerpMarket

pytestmark = pytest.mark.world

BITCOIN_LONG = """
[[positions]]
name = "long"
venue = "perp_v2"
table = "coins"
owner = "{owner}"
signer = "me"
market = "BTC"
"""


async def native(scene: Scene) -> tuple[int, int | None]:
    """What the newest block's read says of it, in 10^-8 dollars, and how old that is."""
    async with opened(load(scene.config, {}), is_live=False) as engine:
        head = await engine.reader.head()
        snapshot = await begun(engine, head)
        return snapshot.native_price, engine.reader.known.native_pool is not None


async def test_pools_are_the_last_origin_and_no_single_block_moves_them_far(scene: Scene) -> None:
    """No market, no feed and no perpetual of it: the deepest pool's average is found by itself.

    A pool driven to twice its price within a block is not believed: the average takes a block's share of it. Where it
    stays there it is the price.
    """
    world = scene.world
    coins = second_desk(world, PerpMarket("BTC", "WBTC", fee=500, insurance_share=200_000))
    coins.open(scene.owner, 10_000 * DOLLAR, 10**17)
    rules = BITCOIN_LONG.format(owner=scene.owner)
    named(scene, rules, table("coins", coins), drops=("aave_v3", "perp_v2", "gmx_v2"))
    world.warp(600)
    calm, is_found = await native(scene)
    assert is_found
    assert calm == pytest.approx(2000 * USD, rel=0.01)
    for fee in (500, 3000):
        world.set_pool_price("WETH", "USDC", "4000", fee)
    driven, _ = await native(scene)
    assert calm <= driven <= calm * 110 // 100, "five minutes, of which it held some seconds"
    world.warp(900)
    stayed, _ = await native(scene)
    assert stayed == pytest.approx(4000 * USD, rel=0.02)
