"""Pools that lag or lead in one asset only: its own trades are bound, the others are not. Real contracts, live."""

from __future__ import annotations

from decimal import Decimal

import pytest
from armed_stage import SELL, rule
from scenes import BITCOIN, DOLLAR, ETHER, Scene
from test_rescues import with_batch

pytestmark = pytest.mark.world

BATCHES = pytest.mark.parametrize("batch", [True, False], ids=["batch", "calls"])


def two_kinds(scene: Scene, debt: str = "USDC") -> Scene:
    """8 ether and 0.2 bitcoin against 16,000 dollars, at health 1.18."""
    scene.rules = rule(SELL).replace("20000", "200000")
    amount = 18_500 * (ETHER if debt == "DAI" else DOLLAR)
    return scene.open({"WETH": 8 * ETHER, "WBTC": 2 * BITCOIN // 10}, {debt: amount}).crash("1890")


def off(scene: Scene, symbol: str, factor: str) -> None:
    """All pools of one asset stand beside its feed, for longer than any average."""
    prices = scene.world.prices()
    for pool in scene.world.addresses["pools"]:
        pair = (pool["token0"], pool["token1"])
        if symbol in pair:
            other = pair[1 - pair.index(symbol)]
            scene.world.set_pool_price(symbol, other, prices[symbol] / prices[other] * Decimal(factor), pool["fee"])
    scene.world.warp(600)
    scene.world.refresh_feeds()


@BATCHES
@pytest.mark.parametrize("factor", ["0.93", "0.96", "1.04", "1.07"])
def test_a_pool_that_is_wrong_in_one_collateral_does_not_keep_the_other_from_being_sold(
    scene: Scene, batch: bool, factor: str
) -> None:
    """Bitcoin's pools lead a fall, or lag it: ether is sold at its own price, and it suffices."""
    two_kinds(scene)
    off(scene, "WBTC", factor)
    with_batch(scene, batch)
    bitcoin = scene.world.supplied("WBTC", scene.owner)
    code, row = scene.once("--live")
    assert row["outcome"], row["decision"]
    assert row["outcome"]["kind"] in ("restored", "partial"), row["outcome"]
    assert code == (0 if row["outcome"]["kind"] == "restored" else 3)
    assert scene.health() > 1.5, row["plan"]["label"]
    if factor < "1":
        assert scene.world.supplied("WBTC", scene.owner) >= bitcoin, "none is sold into a pool that pays too little"


@BATCHES
def test_a_debt_that_one_pool_makes_look_cheap_is_bought(scene: Scene, batch: bool) -> None:
    """Bitcoin is owed and its pools ask less than the oracle: that is no loss."""
    scene.rules = rule(SELL).replace("20000", "200000")
    scene.open({"WETH": 10 * ETHER}, {"WBTC": 218 * BITCOIN // 1000}).crash("1890")
    assert 1.15 < scene.health() < 1.24
    off(scene, "WBTC", "0.95")
    with_batch(scene, batch)
    code, row = scene.once("--live")
    assert row["outcome"], row["decision"]
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]


@BATCHES
def test_a_debt_that_one_pool_makes_look_dear_is_not_bought(scene: Scene, batch: bool) -> None:
    """7 % above the oracle: beyond the doubt and beyond the bound."""
    scene.rules = rule(SELL).replace("20000", "200000")
    scene.open({"WETH": 10 * ETHER}, {"WBTC": 218 * BITCOIN // 1000}).crash("1890")
    off(scene, "WBTC", "1.07")
    with_batch(scene, batch)
    code, row = scene.once("--live")
    assert (code, row["decision"]["reason"]) == (3, "price_deviates"), row
