"""The whole of it on real contracts, live: what is sent helps, what must not be sent is not."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from scenes import BITCOIN, DOLLAR, ETHER, RULE, Scene

from sandbox.world import World

pytestmark = pytest.mark.world

IN_DANGER, FAILED, BAD_SETTINGS = 3, 1, 2


def outcome(row: dict[str, object]) -> str:
    made = row["outcome"]
    assert isinstance(made, dict), row
    return str(made["kind"])


def guardian(scene: Scene, **held: int) -> Scene:
    """Another account signs, with rescue funds of its own."""
    scene.signer_index = 5
    for symbol, amount in held.items():
        scene.world.mint(symbol, scene.signer, amount)
    return scene


# --- help ------------------------------------------------------------------------------------------------------------


def test_an_owner_deleverages_and_is_restored(scene: Scene) -> None:
    """Collateral sold, debt repaid, the target reached; every allowance taken back and nothing borrowed anew."""
    world = scene.open().crash().world
    assert scene.health() < 1.25
    code, row = scene.once("--live")
    assert (code, outcome(row)) == (0, "restored")
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    router, pool = world.addresses["uniswap"]["swap_router_02"], world.pool.address
    for symbol in ("WETH", "USDC"):
        for spender in (router, pool):
            assert world.token(symbol).functions.allowance(scene.owner, spender).call() == 0
    assert world.balance("USDC", scene.owner) == 0
    assert world.supplied("WETH", scene.owner) < 10 * ETHER


def test_a_dear_token_of_eight_decimals_is_sold_as_well(scene: Scene) -> None:
    """One smallest unit of it is worth more than rounding dust: no gate may trip over it."""
    scene.open({"WBTC": BITCOIN}, {"USDC": 38_000 * DOLLAR}).crash("59000", "WBTC")
    assert scene.health() < 1.25
    code, row = scene.once("--live")
    assert (code, outcome(row)) == (0, "restored"), row["outcome"]
    assert scene.health() == pytest.approx(1.6, rel=2e-3)


def test_the_wallet_is_used_where_it_is_cheapest(scene: Scene) -> None:
    """Dollars at hand: repaid, with one approval of exactly that."""
    scene.open(keep_debt=True).crash()
    code, row = scene.once("--live")
    assert (code, outcome(row)) == (0, "restored")
    assert row["plan"]["label"] == "repay USDC"
    assert scene.world.supplied("WETH", scene.owner) >= 10 * ETHER


def test_what_was_done_is_in_the_journal(scene: Scene) -> None:
    """Decision, inputs, alternatives, transactions with their state, outcome."""
    scene.open().crash()
    scene.once("--live")
    (row,) = [r for r in scene.data("journal") if r["transactions"]]
    assert row["outcome"]["kind"] == "restored"
    assert {t["state"] for t in row["transactions"]} == {"mined"}
    assert [t["nonce"] for t in row["transactions"]] == sorted({t["nonce"] for t in row["transactions"]})
    assert row["inputs"]["block"]["hash"].startswith("0x")
    assert row["rehearsal"]


def test_a_healthy_position_is_left_alone(scene: Scene) -> None:
    """Nothing sent, exit code 0."""
    scene.open()
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code == 0
    assert row["decision"]["reason"] == "healthy"
    assert scene.nonce() == before


def test_closing_leaves_no_debt_at_all(scene: Scene) -> None:
    """Interest until mining included; what is left of the collateral is the owner's."""
    scene.rules = RULE.replace('{ health_factor = "1.60" }', '"close"')
    scene.open().crash()
    code, row = scene.once("--live")
    assert (code, outcome(row)) == (0, "restored"), row["outcome"]
    data = scene.world.account_data(scene.owner)
    assert data.debt == 0
    assert data.collateral > 5_000 * 10**8


# --- guardian --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("symbol", "amount"), [("USDC", 8_000 * DOLLAR), ("WETH", 9 * ETHER)])
def test_a_guardian_helps_with_its_own_funds(scene: Scene, symbol: str, amount: int) -> None:
    """Repays or tops up for the owner; the owner's wallet and nonce are untouched."""
    guardian(scene, **{symbol: amount}).open().crash()
    owners_nonce = scene.world.w3.eth.get_transaction_count(scene.owner)
    code, row = scene.once("--live")
    assert (code, outcome(row)) == (0, "restored"), row
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert scene.world.w3.eth.get_transaction_count(scene.owner) == owners_nonce
    assert scene.world.supplied("WETH", scene.signer) == 0, "what is supplied is the owner's"
    assert scene.world.token(symbol).functions.allowance(scene.signer, scene.world.pool.address).call() == 0


def test_a_guardian_closes_a_debt_to_the_last_unit(scene: Scene) -> None:
    """Aave refuses it "all"; an amount a hair above what is owed is taken as just that."""
    guardian(scene, USDC=14_000 * DOLLAR)
    scene.rules = RULE.replace('{ health_factor = "1.60" }', '"close"')
    scene.open().crash()
    code, row = scene.once("--live")
    assert (code, outcome(row)) == (0, "restored"), row["outcome"]
    assert scene.world.account_data(scene.owner).debt == 0
    assert 0 < scene.world.balance("USDC", scene.signer) < 1_000 * DOLLAR


def test_a_guardian_cannot_take_anything_out(scene: Scene) -> None:
    """Allowed to deleverage by the rule, with no funds of its own: nothing is sent, and the owner hears of it."""
    guardian(scene).open().crash()
    scene.world.rpc("anvil_setBalance", scene.signer, hex(ETHER))
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code == IN_DANGER
    assert "guardian" in json.dumps(row["decision"])
    assert scene.nonce() == before
    assert scene.health() < 1.25


# --- doubtful prices -------------------------------------------------------------------------------------------------


def stale(world: World) -> None:
    world.make_stale("WETH", 7200)


def apart(world: World) -> None:
    """The oracle stands well above what pools pay; it is the other side that may be sold to."""
    world.set_price("WETH", "1700")
    world.align_pools()
    world.warp(600)
    world.set_price("WETH", "1890")
    world.refresh_feeds()


def sequencer(world: World) -> None:
    world.set_sequencer(up=False)


def restarted(world: World) -> None:
    world.set_sequencer(up=True)


DOUBTS = [
    (stale, "price_stale"),
    (apart, "price_deviates"),
    (sequencer, "sequencer_down"),
    (restarted, "sequencer_restarted"),
]


@pytest.mark.parametrize(("happen", "reason"), DOUBTS)
def test_a_doubtful_price_forbids_selling(scene: Scene, happen: object, reason: str) -> None:
    """The reason is told, nothing is sent, and the exit code is that of danger."""
    scene.rules = RULE.replace('["top_up", "repay", "deleverage"]', '["deleverage"]')
    scene.open().crash()
    happen(scene.world)  # type: ignore[operator]
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code == IN_DANGER
    assert row["decision"]["reason"] == reason
    assert scene.nonce() == before


@pytest.mark.parametrize(("happen", "reason"), DOUBTS)
def test_a_doubtful_price_still_allows_repaying(scene: Scene, happen: object, reason: str) -> None:
    """That cannot lose to a bad price; and the doubt is told beside it."""
    scene.open(keep_debt=True).crash()
    happen(scene.world)  # type: ignore[operator]
    code, row = scene.once("--live")
    assert (code, outcome(row)) == (0, "restored"), row
    assert row["plan"]["label"] == "repay USDC"
    assert [a for a in row["alternatives"] if a["reason"] == "doubtful_price"]
    assert reason in json.dumps(scene.data("journal"))


# --- what stands in the way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["WETH", "USDC"])
def test_a_paused_reserve_is_named(scene: Scene, symbol: str) -> None:
    """Nothing can be done and nothing is tried."""
    scene.open().crash()
    scene.world.pause(symbol)
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code == IN_DANGER
    assert symbol in row["decision"]["detail"]
    assert "paused" in json.dumps(row["decision"])
    assert scene.nonce() == before


def test_a_pool_too_thin_is_named(scene: Scene) -> None:
    """No sale within the slippage: the slippage of the rule, at one basis point."""
    scene.rules = RULE.replace("max_slippage_bps = 50", "max_slippage_bps = 1")
    scene.open().crash()
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code == IN_DANGER
    assert "max_slippage_bps" in row["decision"]["detail"]
    assert scene.nonce() == before


def test_no_gas_money_is_named(scene: Scene) -> None:
    """With the remedy; not one transaction of the plan is sent."""
    scene.open(keep_debt=True).crash()
    scene.world.rpc("anvil_setBalance", scene.signer, hex(10**12))
    before = scene.nonce()
    found = scene.keeper("once", "--live", "--json")
    assert found.exit_code == IN_DANGER
    assert "no_gas_money" in found.stdout + found.stderr
    assert scene.nonce() == before


def test_fees_above_the_limit_are_not_paid(scene: Scene) -> None:
    """A base fee of 300 gwei under a limit of 200."""
    scene.open().crash()
    scene.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(300 * 10**9))
    scene.world.mine()
    scene.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(300 * 10**9))
    before = scene.nonce()
    found = scene.keeper("once", "--live", "--json")
    assert found.exit_code == IN_DANGER
    assert "fee_limit" in found.stdout + found.stderr
    assert scene.nonce() == before


def test_an_account_with_no_position_is_named(scene: Scene) -> None:
    """A wrong address must not look like the safest of positions: the reason, the owner, and what to look at."""
    found = scene.keeper("once")
    assert "no_position" in found.stderr
    assert scene.owner in found.output
    assert "check `owner` and the network file" in " ".join(found.output.split())


def test_an_account_with_no_position_is_not_fine(scene: Scene) -> None:
    """Unknown is not healthy, and not exit code 0 either."""
    assert scene.keeper("once").exit_code != 0


def test_helping_in_part_is_said_and_is_no_success(scene: Scene) -> None:
    """Five hundred dollars a day: the most that helps, and the exit code of danger."""
    scene.rules = RULE.replace('max_spend_per_day_usd = "20000"', 'max_spend_per_day_usd = "500"')
    scene.open().crash()
    before = scene.health()
    code, row = scene.once("--live")
    assert (code, outcome(row)) == (IN_DANGER, "partial")
    assert before < scene.health() < 1.25


# --- limits and cooldowns across runs --------------------------------------------------------------------------------


def test_the_days_limit_survives_a_restart(scene: Scene) -> None:
    """However often it is started, a day moves five hundred dollars; a day later there are five hundred more."""
    scene.rules = RULE.replace('max_spend_per_day_usd = "20000"', 'max_spend_per_day_usd = "500"')
    scene.open().crash()
    for _ in range(4):
        code, row = scene.once("--live")
        assert code == IN_DANGER
        scene.world.warp(60)
    assert row["decision"]["kind"] == "hold"
    assert 499 < spent(scene) <= 500.001
    before = scene.nonce()
    scene.once("--live")
    assert scene.nonce() == before
    scene.world.warp(86_400)
    scene.world.refresh_feeds()
    scene.once("--live")
    assert 998 < spent(scene) <= 1000.002


def spent(scene: Scene) -> float:
    """The dollars that the journal's transactions moved."""
    return sum(float(t["spend_usd"]) for row in scene.data("journal") for t in row["transactions"])


def test_a_new_low_after_a_rescue_does_not_wait_for_the_cooldown(scene: Scene) -> None:
    """Restored a while ago, and the market goes on falling: a new danger, also after a restart."""
    scene.rules = RULE.replace('cooldown = "10m"', 'cooldown = "1h"')
    scene.open().crash()
    scene.once("--live")
    scene.crash("1450")
    assert 1.1 < scene.health() < 1.25
    assert outcome(scene.once("--live")[1]) == "restored"


def test_a_cooldown_survives_a_restart(scene: Scene) -> None:
    """Restored a while ago and below the trigger again at the same prices, in no emergency: the next run waits."""
    scene.rules = RULE.replace('cooldown = "10m"', 'cooldown = "1h"')
    scene.open().crash()
    scene.once("--live")
    weth = scene.world.addresses["tokens"]["WETH"]
    scene.world.configure("configureReserveAsCollateral", weth, 6000, 6200, 10500)
    assert 1.1 < scene.health() < 1.25
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["decision"]["reason"]) == (0, "cooldown")
    assert scene.nonce() == before
    scene.crash("1690")
    assert scene.health() < 1.1
    _, row = scene.once("--live")
    assert outcome(row) == "restored", ("an emergency does not wait", row["outcome"])


# --- the daemon ------------------------------------------------------------------------------------------------------


def test_the_daemon_keeps_a_position_and_ends_on_sigterm(scene: Scene) -> None:
    """Started healthy, it acts on the crash, says it stopped, and leaves with code 0."""
    scene.open()
    with scene.running("--live") as keeper:
        keeper.wait_for('"block"')
        scene.crash()
        keeper.wait_for("restored")
        assert scene.health() > 1.59
        assert keeper.stop() == 0
        assert '"stopped"' in keeper.log
        assert "Traceback" not in keeper.log


def test_sigterm_finishes_what_is_in_flight(scene: Scene) -> None:
    """Told to stop with a plan half sent, it sends the rest, verifies it, and then leaves."""
    scene.open().crash()
    scene.world.rpc("evm_setAutomine", False)
    scene.write()
    with scene.running("--live") as keeper:
        keeper.wait_for('"planned"')
        wait_for_pending(scene.world)
        keeper.process.terminate()
        for _ in range(200):
            if keeper.process.poll() is not None:
                break
            scene.world.mine()
            try:
                keeper.process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        assert keeper.process.returncode == 0, keeper.log
        assert "restored" in keeper.log
        assert '"stopped"' in keeper.log
    assert scene.health() > 1.59


def wait_for_pending(world: World) -> None:
    for _ in range(500):
        if int(world.rpc("txpool_status")["pending"], 16):
            return
        time.sleep(0.02)
    raise AssertionError("nothing was sent")


def test_a_second_keeper_of_the_same_signer_refuses_to_start(scene: Scene) -> None:
    """It names the signer and the process that has it; the first one goes on."""
    scene.open()
    with scene.running("--live") as keeper:
        keeper.wait_for('"block"')
        found = scene.keeper("once", "--live")
        assert found.exit_code == BAD_SETTINGS
        assert scene.signer in found.stderr
        assert str(keeper.process.pid) in found.stderr
        assert keeper.process.poll() is None
        assert scene.keeper("once").exit_code == 0, "a dry run needs no lock"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (("password", "wrong\n"), "does not open"),
        (("keystore.json", "{}"), "keystore"),
        (("keystore.json", None), "does not exist"),
        (("password", None), "password file"),
    ],
)
def test_a_key_that_cannot_be_used_is_bad_settings(scene: Scene, spoil: tuple[str, str | None], words: str) -> None:
    """One clear line, exit code 2, nothing sent. `check` finds what takes no password; a dry run needs no key."""
    scene.open().write()
    name, content = spoil
    (scene.folder / name).unlink() if content is None else (scene.folder / name).write_text(content)
    found = scene.keeper("once", "--live")
    assert found.exit_code == BAD_SETTINGS
    assert words in " ".join(found.stderr.split())
    assert scene.keeper("check").exit_code == (0 if content == "wrong\n" else BAD_SETTINGS)
    assert scene.keeper("once").exit_code == 0


def test_the_program_is_there_as_a_command() -> None:
    """`python -m keeper` with nothing shows what there is."""
    found = subprocess.run([sys.executable, "-m", "keeper", "--help"], capture_output=True, text=True, check=True)
    for command in ("check", "run", "once", "status", "explain", "journal"):
        assert command in found.stdout
