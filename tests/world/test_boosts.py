"""Leverage up to the target on real contracts: in one transaction where the account makes one of all its calls."""

from __future__ import annotations

import pytest
from scenes import DOLLAR, ETHER, Scene

pytestmark = pytest.mark.world

BOOST = """
[[rules]]
name = "boost"
position = "eth-loop"
when = { health_factor_above = "2.40" }
restore = { health_factor = "1.40" }
actions = ["leverage_up"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 100
max_fee_gwei = "200"
"""


def test_a_boost_reaches_its_target_in_one_transaction(scene: Scene) -> None:
    """Borrowed, bought and supplied again and again within it, each round above the floor; nothing stays approved."""
    scene.rules = BOOST
    scene.open({"WETH": 10 * ETHER}, {"USDC": 5_000 * DOLLAR}).write()
    scene.config.write_text(scene.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert len(row["outcome"]["transactions"]) == 1
    assert scene.health() == pytest.approx(1.4, rel=0.01)
    world = scene.world
    for symbol in ("WETH", "USDC"):
        for spender in (world.addresses["uniswap"]["swap_router_02"], world.pool.address):
            assert world.token(symbol).functions.allowance(scene.owner, spender).call() == 0


@pytest.mark.parametrize("batch", [False, True])
def test_explain_says_how_a_boost_goes_out(scene: Scene, batch: bool) -> None:
    """A plain account sends call by call, with what would make it one; with that it is one."""
    scene.rules = BOOST
    scene.open({"WETH": 10 * ETHER}, {"USDC": 5_000 * DOLLAR}).write()
    if batch:
        scene.config.write_text(scene.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))
    said = " ".join(scene.keeper("explain", "eth-loop").stdout.split())
    assert ("Goes out as one transaction" in said) is batch, said
    assert ("batch = true in its signer makes it one" in said) is not batch
