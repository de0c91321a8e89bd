"""Rules on the market a loan stands in, on real contracts: what is lent out, what an asset fetches, what debts cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene

pytestmark = pytest.mark.world
RULE = """
[[rules]]
name = "watch"
position = "eth-loop"
when = {{ {when} }}
{rest}
"""
ALERT = 'actions = ["alert"]'
SELLS = """restore = { ltv = "0.30" }
actions = ["deleverage"]
[rules.limits]
max_slippage_bps = 100
"""


def once(scene: Scene, when: str, rest: str = ALERT, *options: str) -> dict[str, Any]:
    """The one position's row, under a rule of its own."""
    scene.rules = RULE.format(when=when, rest=rest)
    scene.write()
    (row,) = json.loads(scene.keeper("once", "--json", *options).stdout)["positions"]
    return dict(row)


def lent_out(scene: Scene, symbol: str) -> float:
    """Which share of an asset's supplies is lent out, by the real tokens."""
    world = scene.world
    debt = world.chain.at("VariableDebtTokenInstance", world.addresses["debt_tokens"][symbol]).functions
    supplied = world.chain.at("ATokenInstance", world.addresses["a_tokens"][symbol]).functions
    return float(debt.totalSupply().call() / supplied.totalSupply().call())


def test_a_market_that_is_lent_out_fires(scene: Scene) -> None:
    """Measured as the real tokens say; below the bound the rule rests."""
    scene.open({"WETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR})
    other = str(scene.world.account(3).address)
    scene.world.open_position(other, {"USDC": 9_000_000 * DOLLAR}, {"WETH": 1_500 * ETHER})
    share = lent_out(scene, "WETH")
    above, below = f'utilisation_above = "{share * 0.9:.6f}"', f'utilisation_above = "{share * 1.1:.6f}"'
    assert once(scene, above)["decision"]["reason"] == "alert_only"
    assert once(scene, below)["decision"]["reason"] == "healthy"


def test_a_peg_that_breaks_in_the_pool_fires(scene: Scene) -> None:
    """What it stands for grew by a tenth, and the oracle with it; the pool pays what it paid."""
    scene.open({"wstETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR})
    world = scene.world
    when = 'peg_below = "0.95", asset = "wstETH"'
    world.align_pools()
    world.warp(600)
    world.refresh_feeds()
    assert once(scene, when)["decision"]["reason"] == "healthy"
    source = world.chain.at("RatioAdapter", world.addresses["sources"]["wstETH"])
    world.chain.send(source.functions.setRatio(source.functions.RATIO().call() * 11 // 10), world.role("admin"))
    world.warp(600)
    world.refresh_feeds()
    row = once(scene, when)
    assert row["decision"]["reason"] == "alert_only", row


def test_a_rate_that_was_not_watched_for_long_enough_fires_nothing(scene: Scene) -> None:
    """Half of the window has to be seen: a rate is an average."""
    scene.open({"WETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR})
    assert once(scene, 'borrow_rate_above = "0.0001", window = "1h"')["decision"]["reason"] == "unmeasured"


def test_a_rule_on_the_market_makes_the_loan_smaller_and_then_rests(scene: Scene) -> None:
    """Nothing it does moves what is lent out: it sells to its target once, and asks for nothing more."""
    scene.open({"WETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR})
    other = str(scene.world.account(3).address)
    scene.world.open_position(other, {"USDC": 9_000_000 * DOLLAR}, {"WETH": 1_500 * ETHER})
    when = f'utilisation_above = "{lent_out(scene, "WETH") * 0.9:.6f}", asset = "WETH"'
    row = once(scene, when, SELLS, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert scene.health() > 2.5
    assert once(scene, when, SELLS, "--live")["decision"]["reason"] == "at_target"
