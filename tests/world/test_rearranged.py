"""Portfolios rearranged on real contracts: by trigger and schedule, collateral and debt, and explained before."""

from __future__ import annotations

import json

import pytest
from scenes import DOLLAR, ETHER, Scene

pytestmark = pytest.mark.world


def swapping(when: str, restore: str, action: str, more: str = "") -> str:
    return f"""
[[rules]]
name = "rearrange"
position = "eth-loop"
{when}
restore = {restore}
actions = ["{action}"]
{more}
[rules.limits]
max_slippage_bps = 100
max_fee_gwei = "200"
"""


ETHER_ABOVE = 'when = { collateral_share_above = { asset = "WETH", share = "0.6" } }'


def shares(
    scene: Scene, symbols: tuple[str, ...] = ("WETH", "USDC", "DAI", "WBTC"), *, debts: bool = False
) -> dict[str, float]:
    world, units = scene.world, {"WETH": ETHER, "USDC": DOLLAR, "DAI": ETHER, "WBTC": 10**8}
    of = world.debt if debts else world.supplied
    worth = {s: float(world.price(s)) * of(s, scene.owner) / units[s] for s in symbols}
    return {s: value / sum(worth.values()) for s, value in worth.items()}


def test_too_much_ether_becomes_dollars(scene: Scene) -> None:
    """By its trigger, to the least volatile that is allowed; health stays, nothing approved, little in the wallet."""
    scene.rules = swapping(ETHER_ABOVE, '{ collateral_share = "0.5" }', "swap_collateral", 'into = ["WBTC", "USDC"]')
    scene.open({"WETH": 20 * ETHER}, {"DAI": 5_000 * ETHER})
    before = scene.health()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row
    found = shares(scene)
    assert found["WETH"] == pytest.approx(0.5, abs=0.02)
    assert found["USDC"] == pytest.approx(0.5, abs=0.02)
    assert scene.health() > before * 0.95
    world = scene.world
    router, pool = world.addresses["uniswap"]["swap_router_02"], world.pool.address
    for symbol in ("WETH", "USDC"):
        for spender in (router, pool):
            assert world.token(symbol).functions.allowance(scene.owner, spender).call() == 0
    assert world.balance("WETH", scene.owner) < ETHER // 50
    code, row = scene.once("--live")
    assert row["decision"]["reason"] in ("healthy", "at_target"), row["decision"]


def test_a_schedule_keeps_a_portfolio_half_and_half_from_both_sides(scene: Scene) -> None:
    """Once in seven days: ether rises and is sold, and after a week falls and is bought."""
    scene.rules = swapping(
        'every = "7d"', '{ collateral_share = "0.5", asset = "WETH" }', "swap_collateral", 'into = "USDC"'
    )
    scene.open({"WETH": 10 * ETHER, "USDC": 5_000 * DOLLAR}, {"DAI": 3_000 * ETHER})
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row
    assert shares(scene)["WETH"] == pytest.approx(0.5, abs=0.02)
    scene.crash(str(float(scene.world.price("WETH")) * 0.7))
    assert shares(scene)["WETH"] < 0.45
    code, row = scene.once("--live")
    assert row["decision"]["reason"] == "cooldown", row["decision"]
    scene.world.warp(7 * 86_400)
    scene.world.refresh_feeds()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row
    assert shares(scene)["WETH"] == pytest.approx(0.5, abs=0.02)


def test_a_debt_is_swapped_into_another(scene: Scene) -> None:
    """Dollars owed at one rate become dollars owed at another, all of them."""
    when = 'when = { debt_share_above = { asset = "USDC", share = "0.4" } }'
    scene.rules = swapping(when, '{ debt_share = "0" }', "swap_debt", 'into = "DAI"')
    scene.open({"WETH": 20 * ETHER}, {"USDC": 10_000 * DOLLAR})
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row
    assert scene.world.debt("USDC", scene.owner) == 0
    assert scene.world.debt("DAI", scene.owner) == pytest.approx(10_000 * ETHER, rel=0.01)


def test_a_dry_run_says_what_would_be_swapped_and_why(scene: Scene) -> None:
    """Down to the calls, and nothing is sent."""
    scene.rules = swapping(ETHER_ABOVE, '{ collateral_share = "0.5" }', "swap_collateral", 'into = "USDC"')
    scene.open({"WETH": 20 * ETHER}, {"DAI": 5_000 * ETHER})
    before = scene.nonce()
    said = " ".join(scene.keeper("explain", "eth-loop").stdout.split())
    fires, target = "collateral_share 1.0000 above 0.6000? fires", "target collateral share 0.5000"
    for text in (fires, target, "plan: swap WETH for USDC", "supply USDC", "rehearsed", "Nothing was signed."):
        assert text in said, said
    assert scene.nonce() == before
    assert json.loads(scene.keeper("once", "--json").stdout)["positions"][0]["outcome"]["kind"] == "rehearsed"


def test_a_pool_below_the_oracle_swaps_nothing(scene: Scene) -> None:
    """The price is held against the oracle: refused by name, and nothing is half done."""
    scene.rules = swapping(ETHER_ABOVE, '{ collateral_share = "0.5" }', "swap_collateral", 'into = "USDC"')
    scene.open({"WETH": 20 * ETHER}, {"DAI": 5_000 * ETHER})
    scene.world.set_pool_price("WETH", "USDC", str(float(scene.world.price("WETH")) * 0.9), 500)
    scene.world.set_pool_price("WETH", "USDC", str(float(scene.world.price("WETH")) * 0.9), 3000)
    before = scene.nonce()
    _, row = scene.once("--live")
    assert row["decision"]["reason"] in ("pool_too_thin", "price_deviates", "doubtful_price"), row["decision"]
    assert scene.nonce() == before
