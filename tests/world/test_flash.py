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
    """One, with the owner's permit inside, at most 600,000 gas; nothing stays in a hand, and no allowance."""
    endangered(scene, price)
    assert scene.health() == pytest.approx(float(health), rel=1e-3)
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert scene.nonce() == before + 1
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


CASES = {
    "two collaterals, the larger sold": ({"WETH": 60 * ETHER, "wstETH": 30 * ETHER}, {"USDC": 150_000 * DOLLAR}),
    "two debts, the larger repaid": ({"WETH": 100 * ETHER}, {"USDC": 110_000 * DOLLAR, "DAI": 42_000 * ETHER}),
    "a debt of eight decimals": ({"WETH": 100 * ETHER}, {"WBTC": 150_000_000}),
}
"""Positions of about 200,000 dollars against about 150,000."""


def near(scene: Scene, health: float) -> None:
    """Ether falls to where the position has so much health; the pools follow."""
    for _ in range(4):
        now = scene.health()
        if abs(now - health) < 0.002:
            return
        # what is not ether does not fall with it: step by step
        scene.crash(str(round(float(scene.world.price("WETH")) * (1 + (health / now - 1)), 4)))


@pytest.mark.parametrize("case", CASES)
def test_positions_of_several_assets_are_restored_near_liquidation(scene: Scene, case: str) -> None:
    """At 1.03, by one bundle or several ways one after the other; nothing stays in a hand, and no allowance."""
    scene.rules, scene.lends = FLASH_RULE.replace("1.60", "1.30"), True
    scene.open(*CASES[case])
    near(scene, 1.03)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.health() == pytest.approx(1.3, rel=3e-3)
    assert set(left(scene).values()) == {0}


def test_a_whole_position_is_closed_by_one_bundle(scene: Scene) -> None:
    """All that is owed is repaid at health 1.02; what the sale brought beyond is the owner's."""
    scene.rules, scene.lends = FLASH_RULE.replace('{ health_factor = "1.60" }', '"close"'), True
    scene.open({"WETH": 100 * ETHER}, {"USDC": 152_000 * DOLLAR}).crash("1867.95")
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.world.debt("USDC", scene.owner) == 0
    assert scene.nonce() == before + 1
    assert set(left(scene).values()) == {0}


def test_a_gift_in_a_hand_and_a_standing_approval_stop_no_rescue(scene: Scene) -> None:
    """A stranger sends dust to the adapters; the owner approved one for more once. The allowance ends at zero."""
    endangered(scene, "1922.89")
    world, at = scene.world, scene.world.addresses["bundler"]
    for hand in (at["general_adapter"], at["adapter"]):
        world.mint("USDC", hand, 7)
    receipt = world.chain.at("TestnetERC20", world.addresses["a_tokens"]["WETH"])
    world.chain.send(receipt.functions.approve(at["general_adapter"], 999 * ETHER), scene.owner)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert receipt.functions.allowance(scene.owner, at["general_adapter"]).call() == 0
    assert scene.health() == pytest.approx(1.6, rel=2e-3)


def test_pools_below_the_oracle_are_refused_by_name_and_nothing_is_half_done(scene: Scene) -> None:
    """They pay a tenth less than the feed says: no bundle, no rounds, and the reason."""
    endangered(scene, "1750").world.set_price("WETH", "1922.89")
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code != 0
    assert row["decision"]["reason"] == "price_deviates", row["decision"]
    assert scene.nonce() == before
    assert set(left(scene).values()) == {0}


@pytest.mark.parametrize(("how", "code"), [("it reverts", "0x60006000fd"), ("it never calls back", "0x00")])
def test_a_lender_that_fails_leaves_rounds(scene: Scene, how: str, code: str) -> None:
    """It has the money and does not lend it: the rehearsal says so, and the next best plan is tried at once."""
    endangered(scene, "2106.02")
    scene.world.rpc("anvil_setCode", scene.world.addresses["bundler"]["lender"], code)
    before = scene.nonce()
    found, row = scene.once("--live")
    assert (found, row["outcome"]["kind"]) == (0, "restored"), (how, row["outcome"])
    assert scene.nonce() > before + 1
    assert set(left(scene).values()) == {0}


def test_an_account_in_e_mode_is_restored_by_one_bundle(scene: Scene) -> None:
    """Staked ether against ether at 95 %: its own thresholds, debt of another asset than dollars."""
    scene.rules, scene.lends = FLASH_RULE.replace("1.60", "1.10").replace("1.25", "1.05"), True
    scene.world.chain.send(scene.world.pool.functions.setUserEMode(1), scene.owner)
    scene.open({"wstETH": 50 * ETHER}, {"WETH": 55 * ETHER + ETHER // 2}).crash("2000")
    assert scene.health() == pytest.approx(1.027, rel=2e-3)
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.health() == pytest.approx(1.1, rel=3e-3)
    assert scene.nonce() == before + 1


@pytest.mark.parametrize(("price", "count"), [("2106.02", 1), ("1867.95", 2)], ids=["at 1.15", "at 1.02"])
def test_a_whole_position_is_left_altogether_by_one_bundle(scene: Scene, price: str, count: int) -> None:
    """Everything repaid, what is owed sold for, everything else with the owner. Near liquidation what is left leaves
    by a call of its own: nobody can undo the bundle.
    """
    scene.rules, scene.lends = FLASH_RULE.replace('{ health_factor = "1.60" }', '"exit"'), True
    scene.open({"WETH": 100 * ETHER}, {"USDC": 152_000 * DOLLAR}).crash(price)
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    world = scene.world
    assert (world.debt("USDC", scene.owner), world.supplied("WETH", scene.owner)) == (0, 0)
    assert scene.nonce() == before + count
    at = float(world.price("WETH"))
    rest = world.balance("WETH", scene.owner) / ETHER * at + world.balance("USDC", scene.owner) / DOLLAR
    assert rest == pytest.approx(100 * at - 152_000, rel=0.05)
    assert set(left(scene).values()) == {0}


def test_several_collaterals_and_debts_are_left_altogether(scene: Scene) -> None:
    """Each debt by its own way, then each collateral out."""
    scene.rules = FLASH_RULE.replace('{ health_factor = "1.60" }', '"exit"').replace("1.25", "1.40")
    scene.lends = True
    scene.open({"WETH": 60 * ETHER, "wstETH": 20 * ETHER}, {"USDC": 80_000 * DOLLAR, "DAI": 6_000 * ETHER})
    near(scene, 1.2)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    world = scene.world
    for symbol in ("WETH", "wstETH", "USDC", "DAI"):
        assert (world.debt(symbol, scene.owner), world.supplied(symbol, scene.owner)) == (0, 0), symbol
    assert set(left(scene).values()) == {0}
