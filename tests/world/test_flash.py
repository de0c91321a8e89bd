"""A rescue in one transaction, at any health, end to end: approval and bundle, nothing left anywhere."""

from __future__ import annotations

import pytest
from scenes import DOLLAR, ETHER, Scene

pytestmark = pytest.mark.world

FLASH_RULE = """
[[rules]]
name = "protect"
position = "eth-loop"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.60" }
actions = ["deleverage"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 100
max_fee_gwei = "200"
"""


def endangered(scene: Scene, price: str) -> Scene:
    """A hundred ether against 152,000 dollars, and a lender."""
    scene.rules, scene.lends = FLASH_RULE, True
    return scene.open({"WETH": 100 * ETHER}, {"USDC": 152_000 * DOLLAR}).crash(price)


def left(scene: Scene) -> dict[tuple[str, str], int]:
    """What the bundle's contracts and the router hold, and may still take, of all that was moved."""
    world, found = scene.world, dict[tuple[str, str], int]()
    hands = {**world.addresses["bundler"], "router": world.addresses["uniswap"]["swap_router_02"]}
    del hands["lender"]
    tokens = {"WETH": world.token("WETH"), "USDC": world.token("USDC")}
    tokens["aWETH"] = world.chain.at("TestnetERC20", world.addresses["a_tokens"]["WETH"])
    for name, token in tokens.items():
        for hand, where in hands.items():
            found[name, hand] = token.functions.balanceOf(where).call()
            found[name, f"{hand} may take"] = token.functions.allowance(scene.owner, where).call()
    return found


@pytest.mark.parametrize(
    ("health", "price"),
    [("1.15", "2106.02"), ("1.10", "2014.46"), ("1.05", "1922.89"), ("1.016", "1860.63"), ("0.985", "1803.86")],
)
def test_one_transaction_restores_a_position_at_any_health(scene: Scene, health: str, price: str) -> None:
    """The approval and the bundle, at most 600,000 gas; nothing stays in a hand, and no allowance."""
    endangered(scene, price)
    assert scene.health() == pytest.approx(float(health), rel=1e-3)
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert scene.nonce() == before + 2
    bundle = scene.world.w3.eth.get_transaction_receipt(row["outcome"]["transactions"][-1])
    assert bundle["gasUsed"] <= 600_000
    assert set(left(scene).values()) == {0}
    assert scene.world.balance("USDC", scene.owner) > 0
    assert scene.world.balance("WETH", scene.owner) == 0


def test_a_lender_with_nothing_leaves_rounds(scene: Scene) -> None:
    """The next best plan is tried."""
    endangered(scene, "2106.02")
    world, lender = scene.world, scene.world.addresses["bundler"]["lender"]
    world.rpc("anvil_impersonateAccount", lender)
    world.rpc("anvil_setBalance", lender, hex(10**18))
    held = world.balance("USDC", lender)
    world.chain.send(world.token("USDC").functions.transfer(world.role("lp"), held), lender)
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.nonce() > before + 2
