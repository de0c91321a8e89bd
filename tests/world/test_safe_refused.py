"""A Safe that nothing can be done for, or not by a loan: a typed reason each, nothing half done, the next best."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from armed_stage import staged
from safe_scene import FLASH_RULE, SafeScene
from scenes import DOLLAR, ETHER

from keeper.core.decide import Hold
from sandbox.safe.desk import SafeDesk
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]  # the first to ask compiles the vault


@pytest.fixture
def desk(world: World) -> SafeDesk:
    return SafeDesk(world)


@pytest.fixture
def scene(world: World, desk: SafeDesk, tmp_path: Path) -> SafeScene:
    """A Safe of two owners, near liquidation, and a vault with money."""
    desk.lend("USDC", 5_000_000)
    owners = world.account(0).address, world.account(1).address
    made = SafeScene(world, tmp_path, desk=desk, safe=desk.make(*owners))
    return made.open().crash("1922.89")  # type: ignore[return-value]


def other(scene: SafeScene) -> Any:
    """The Safe's other owner, who changes it."""
    return scene.world.account(1)


# --- at the start ----------------------------------------------------------------------------------------------------


def raised(scene: SafeScene) -> str:
    scene.desk.configure(scene.safe, other(scene), "changeThreshold", 2)
    return "asks for more than one signature (it asks for 2 signatures of 2 owners); lower its threshold to 1"


def not_ours(scene: SafeScene) -> str:
    scene.safe = scene.desk.make(other(scene).address)
    return "the signer is not an owner of the Safe"


def nothing_there(scene: SafeScene) -> str:
    scene.safe = scene.world.account(5).address
    return "there is no Safe at the address"


@pytest.mark.parametrize("how", [raised, not_ours, nothing_there])
@pytest.mark.parametrize("live", [["--live"], []])
def test_at_the_start_the_field_is_named_with_the_remedy(
    scene: SafeScene, how: Callable[[SafeScene], str], live: list[str]
) -> None:
    """Exit 2: nothing runs that could keep nothing."""
    words = how(scene)
    found = scene.keeper("once", *live)
    assert found.exit_code == 2, found.output
    said = " ".join(found.stderr.split())
    assert "signers[0].safe (in 'me')" in said
    assert words in said, said
    assert scene.nonce() == 0


async def test_a_threshold_raised_while_it_runs_is_a_hold_with_its_reason(scene: SafeScene) -> None:
    """Each block asks for what the Safe is now."""
    scene.write()
    async with staged(scene) as stage:
        raised(scene)
        result = await stage.look()
        assert isinstance(result.decision, Hold), result.decision
        assert result.decision.reason.code == "safe_threshold"
    assert (scene.nonce(), scene.safe_nonce()) == (0, 1)


# --- others who have a say -------------------------------------------------------------------------------------------


def test_a_guard_that_forbids_is_named(scene: SafeScene) -> None:
    """It is not asked what it is for: the rehearsal shows that nothing passes, and nothing is sent."""
    guard = scene.desk.deploy("Refuser").address
    scene.desk.configure(scene.safe, other(scene), "setGuard", guard)
    code, row = scene.once("--live")
    assert code == 3
    assert row["decision"]["reason"] == "safe_guard", row["decision"]
    assert guard in row["decision"]["detail"]
    assert scene.nonce() == 0
    assert f"its guard {guard}" in " ".join(scene.keeper("doctor").output.split())


def test_a_module_stops_no_rescue_and_the_doctor_names_it(scene: SafeScene) -> None:
    """It could move everything without a signature: whoever keeps money there should know."""
    module = scene.desk.deploy("Assenter").address
    scene.desk.configure(scene.safe, other(scene), "enableModule", module)
    assert f"its module {module}" in " ".join(scene.keeper("doctor").output.split())
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]


# --- the lender ------------------------------------------------------------------------------------------------------


def paused(scene: SafeScene) -> None:
    scene.desk.pause()


def silent(scene: SafeScene) -> None:
    scene.desk.go_silent()


def gone(scene: SafeScene) -> None:
    scene.world.rpc("anvil_setCode", scene.desk.vault.address, "0x")


@pytest.mark.parametrize("how", [paused, silent, gone])
def test_a_lender_that_does_not_lend_leaves_rounds_in_one_transaction(
    scene: SafeScene, how: Callable[[SafeScene], None]
) -> None:
    """Withdraw, swap, repay, again and again: as one transaction of the Safe, by its next nonce alone."""
    how(scene)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert (scene.nonce(), scene.safe_nonce()) == (1, 1)
    assert scene.health() == pytest.approx(1.6, rel=2e-3)


def test_a_lender_with_too_little_lends_what_there_is_and_rounds_do_the_rest(world: World, tmp_path: Path) -> None:
    """Or rounds do all of it, where that is cheaper: the target is reached, and nothing is owed to the vault."""
    desk = SafeDesk(world)
    desk.lend("USDC", 20_000)
    scene = SafeScene(world, tmp_path, desk=desk, safe=desk.make(world.account(0).address))
    scene.open().crash("1922.89")
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert desk.reserves("USDC") == 20_000 * DOLLAR


def test_collateral_that_cannot_leave_is_refused_by_name(scene: SafeScene) -> None:
    """The market is paused for it: nothing is signed, and nothing of the Safe's nonces goes."""
    scene.world.pause("WETH")
    code, row = scene.once("--live")
    assert code == 3
    assert row["decision"]["reason"] == "reserve_unavailable", row["decision"]
    assert (scene.nonce(), scene.safe_nonce()) == (0, 0)


def test_a_pool_that_asks_too_much_is_refused_by_name(scene: SafeScene) -> None:
    """No sale is better than one below the owner's bound."""
    scene.world.set_price("WETH", "2014")
    code, row = scene.once("--live")
    assert code == 3
    assert row["decision"]["reason"] == "price_deviates", row["decision"]
    assert (scene.nonce(), scene.safe_nonce()) == (0, 0)


# --- what else a Safe does -------------------------------------------------------------------------------------------


def test_what_is_in_the_safe_pays_for_a_rescue(scene: SafeScene) -> None:
    """Repaid and topped up from the Safe's own wallet; its owner pays the gas and nothing else."""
    scene.rules = FLASH_RULE.replace('["deleverage"]', '["top_up", "repay"]')
    scene.world.mint("USDC", scene.safe, 60_000 * DOLLAR)
    before = scene.world.balance("USDC", scene.signer)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert (scene.nonce(), scene.safe_nonce()) == (1, 1)
    assert scene.world.balance("USDC", scene.safe) < 60_000 * DOLLAR
    assert scene.world.balance("USDC", scene.signer) == before


def test_a_whole_position_is_closed_by_one_transaction(scene: SafeScene) -> None:
    """All that is owed is repaid; what is left is in the Safe."""
    scene.rules = FLASH_RULE.replace('{ health_factor = "1.60" }', '"close"')
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert scene.world.debt("USDC", scene.safe) == 0
    assert (scene.nonce(), scene.safe_nonce()) == (1, 2)


def test_where_one_transaction_may_move_only_so_much_each_call_is_one(scene: SafeScene) -> None:
    """The limit counts what one transaction moves: as with any other account."""
    limit = 'max_spend_per_tx_usd = "40000"\nmax_slippage_bps'
    scene.rules = FLASH_RULE.replace("max_slippage_bps", limit, 1)
    gone(scene)
    scene.crash("2280")
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert scene.safe_nonce() == scene.nonce() > 6
    assert scene.health() == pytest.approx(1.6, rel=2e-3)


def test_a_dry_run_rehearses_it_without_any_key(scene: SafeScene) -> None:
    """The missing signature is said yes to in the rehearsal alone."""
    code, row = scene.once()
    assert (code, row["outcome"]["kind"]) == (0, "rehearsed"), (row["decision"], row["outcome"])
    assert scene.nonce() == 0
    assert "one call" in str(scene.data("explain", "eth-loop"))


def test_two_collaterals_and_two_debts_of_a_safe_are_restored(world: World, tmp_path: Path) -> None:
    """One way after the other, still one transaction of its owner."""
    desk = SafeDesk(world)
    for symbol in ("USDC", "DAI"):
        desk.lend(symbol, 5_000_000)
    scene = SafeScene(world, tmp_path, desk=desk, safe=desk.make(world.account(0).address))
    scene.rules = FLASH_RULE.replace("1.60", "1.30")
    scene.open({"WETH": 60 * ETHER, "wstETH": 30 * ETHER}, {"USDC": 100_000 * DOLLAR, "DAI": 50_000 * ETHER})
    for _ in range(4):
        if abs(scene.health() - 1.03) < 0.002:
            break
        scene.crash(str(round(float(world.price("WETH")) * (1 + (1.03 / scene.health() - 1)), 4)))
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert scene.health() == pytest.approx(1.3, rel=3e-3)
    assert scene.nonce() == 1
