"""Rescues by a loan of one transaction in worlds of other shapes: each reaches its target by one transaction."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from safe_scene import SafeScene
from scenes import BITCOIN, DOLLAR, ETHER, Scene
from test_flash import FLASH_RULE, left, near

from sandbox.safe.desk import SafeDesk
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]  # the first to ask compiles the vault

MOST_GAS = 600_000
MOST_GAS_OF_TWO = 1_250_000
"""Two loans, two permits, and both collaterals insisted on."""
STAKED = 1
"""The world's e-mode of ether and what is staked of it."""


def safe_scene(world: World, folder: Path) -> SafeScene:
    """A Safe of one owner, and a vault that lends whatever is owed here."""
    desk = SafeDesk(world)
    for symbol in ("USDC", "DAI", "WETH", "WBTC"):
        desk.lend(symbol, 5_000_000)
    return SafeScene(world, folder, desk=desk, safe=desk.make(world.account(0).address))


@pytest.fixture(params=["plain", "safe"])
def scene(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Scene:
    """A key's own account with Morpho's lender, or a Safe with Balancer's vault."""
    if request.param == "safe":
        return safe_scene(world, tmp_path)
    return Scene(world, tmp_path, lends=True)


def rescued(scene: Scene, target: float, most_gas: int = MOST_GAS) -> None:
    """One transaction to the target, and nothing left in a hand or allowed."""
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert scene.health() == pytest.approx(target, rel=3e-3)
    assert scene.nonce() == before + 1, row["decision"]
    gas = scene.world.w3.eth.get_transaction_receipt(row["outcome"]["transactions"][-1])["gasUsed"]
    assert gas <= most_gas, gas
    assert set(left(scene).values()) == {0}


@pytest.mark.parametrize("health", [1.15, 1.016, 0.985])
def test_a_debt_of_eight_decimals_is_restored_by_one_transaction(scene: Scene, health: float) -> None:
    """Its smallest unit is worth six hundredths of a cent: amounts are rounded the safe way all the same."""
    scene.rules = FLASH_RULE
    scene.open({"WETH": 100 * ETHER}, {"WBTC": 2 * BITCOIN + BITCOIN // 2})
    near(scene, health)
    rescued(scene, 1.6)


@pytest.mark.parametrize("health", [1.15, 1.016, 0.985])
def test_two_collaterals_and_two_debts_are_restored_by_one_transaction(scene: Scene, health: float) -> None:
    """The largest of each is not enough: several sales go one after the other within the same transaction."""
    scene.rules = FLASH_RULE
    debts = {"USDC": 70_000 * DOLLAR, "DAI": 80_000 * ETHER}
    scene.open({"WETH": 50 * ETHER, "wstETH": 42 * ETHER}, debts)
    near(scene, health)
    rescued(scene, 1.6, MOST_GAS_OF_TWO)


@pytest.mark.parametrize("health", [1.03, 1.01, 0.99])
def test_an_account_in_e_mode_is_restored_by_one_transaction(scene: Scene, health: float) -> None:
    """Staked ether against ether at 95 %: its own thresholds, at any health; the market's threshold was lowered."""
    scene.rules = FLASH_RULE.replace("1.60", "1.10").replace("1.25", "1.05")
    world = scene.world
    with world.acting_as(scene.owner):
        world.chain.send(world.pool.functions.setUserEMode(STAKED), scene.owner)
    scene.open({"wstETH": 50 * ETHER}, {"WETH": 55 * ETHER}).crash("2000")
    threshold = int(9500 * health / scene.health())
    world.configure("setEModeCategory", STAKED, threshold - 100, threshold, 10100, "ether")
    assert scene.health() == pytest.approx(health, rel=2e-3)
    rescued(scene, 1.1)


@pytest.mark.parametrize("share", [0.001, 0.3], ids=["a trifle", "a third"])
def test_collateral_of_no_loan_value_comes_first_or_is_named(scene: Scene, share: float) -> None:
    """LTV 0: nothing else may leave while it secures debts. It goes first, in the same plan, or is named."""
    scene.rules = FLASH_RULE.replace("1.60", "1.40")
    world = scene.world
    scene.open({"WETH": 100 * ETHER, "WBTC": int(share * 200_000 * BITCOIN / 60_000)}, {"USDC": 152_000 * DOLLAR})
    world.configure("configureReserveAsCollateral", world.token("WBTC").address, 0, 7800, 10500)
    near(scene, 1.12)
    before = scene.nonce()
    code, row = scene.once("--live")
    if code == 0:
        assert row["outcome"]["kind"] in ("restored", "partial"), row["outcome"]
        assert scene.health() > 1.15
    else:
        assert row["decision"]["reason"] in ("collateral_stuck", "nothing_helps"), row["decision"]
        assert "WBTC" in row["decision"]["detail"]
        assert scene.nonce() == before
    assert set(left(scene).values()) == {0}


def test_frozen_collateral_still_leaves_by_one_transaction(scene: Scene) -> None:
    """Frozen: no more of it comes in, and what is there may go."""
    scene.rules = FLASH_RULE
    scene.open({"WETH": 100 * ETHER}, {"USDC": 152_000 * DOLLAR})
    near(scene, 1.05)
    scene.world.freeze("WETH")
    rescued(scene, 1.6)


@pytest.mark.parametrize("ends", ["close", "health"])
def test_debt_that_grew_until_mining_is_repaid_all_the_same(scene: Scene, ends: str) -> None:
    """Mined fifteen minutes after it was decided, interest and all: by the one transaction, nothing left anywhere."""
    scene.rules = FLASH_RULE.replace('{ health_factor = "1.60" }', '"close"') if ends == "close" else FLASH_RULE
    scene.open({"WETH": 100 * ETHER}, {"USDC": 152_000 * DOLLAR})
    near(scene, 1.05)
    world, before = scene.world, scene.nonce()
    world.rpc("evm_setAutomine", False)
    try:
        with scene.running("--live") as keeper:
            until = time.monotonic() + 120
            while int(world.rpc("txpool_status")["pending"], 16) < 1 and time.monotonic() < until:
                time.sleep(0.05)
            world.rpc("evm_increaseTime", 900)
            world.rpc("evm_mine")
            keeper.wait_for('"kind": "restored"')
    finally:
        world.rpc("evm_setAutomine", True)
    assert scene.nonce() == before + 1
    if ends == "close":
        assert world.debt("USDC", scene.owner) == 0
    else:
        assert scene.health() == pytest.approx(1.6, rel=3e-3)
    assert set(left(scene).values()) == {0}
