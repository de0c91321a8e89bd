"""Rescues by a loan of one transaction in worlds of other shapes: each reaches its target by one transaction."""

from __future__ import annotations

from pathlib import Path

import pytest
from safe_scene import SafeScene
from scenes import BITCOIN, DOLLAR, ETHER, Scene
from test_flash import FLASH_RULE, left, near

from sandbox.safe.desk import SafeDesk
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]  # the first to ask compiles the vault

MOST_GAS = 600_000
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
    rescued(scene, 1.6, 2 * MOST_GAS)


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
