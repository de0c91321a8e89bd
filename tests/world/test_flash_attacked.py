"""Loans of one transaction under attack and in bad weather: strangers, kills, time, markets that let nothing out."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from scenes import DOLLAR, ETHER, Scene
from test_flash import FLASH_RULE, endangered, left
from web3.exceptions import ContractCustomError, ContractPanicError, Web3RPCError

from keeper.core.units import UINT256_MAX
from sandbox.world import World

pytestmark = pytest.mark.world

PERMIT = bytes.fromhex("d505accf")
PERMIT_BYTES = 4 + 7 * 32


def pending(scene: Scene, count: int = 1, seconds: float = 120) -> list[str]:
    """What waits in the pool of the owner's, once there is so much."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = scene.world.rpc("txpool_content")["pending"]
        mine = [t for who, txs in found.items() if who.lower() == scene.owner.lower() for t in txs.values()]
        if len(mine) >= count:
            return [str(t["input"]) for t in mine]
        time.sleep(0.05)
    raise AssertionError("nothing was sent")


def block(world: World) -> None:
    world.rpc("evm_mine")


def test_a_stranger_who_uses_the_permit_first_stops_no_rescue(scene: Scene) -> None:
    """He pays more and is first in the block; the bundle is mined behind him, and nothing stays allowed."""
    endangered(scene, "1922.89")
    world = scene.world
    stranger = world.account(6).address
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        (data,) = pending(scene)
        at = bytes.fromhex(data[2:]).index(PERMIT)
        permit = bytes.fromhex(data[2:])[at : at + PERMIT_BYTES]
        world.rpc("anvil_setBalance", stranger, hex(10 * ETHER))
        world.rpc("anvil_impersonateAccount", stranger)
        used = world.w3.eth.send_transaction({
            "from": stranger, "to": world.addresses["a_tokens"]["WETH"], "data": permit, "gas": 200_000,
            "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**12,
        })  # fmt: skip
        block(world)
        keeper.wait_for('"kind": "restored"')
    assert world.w3.eth.get_transaction_receipt(used)["status"] == 1, "he was first"
    assert scene.health() == pytest.approx(1.6, rel=3e-3)
    assert set(left(scene).values()) == {0}


def test_killed_with_a_bundle_pending_it_is_done_once_and_known(scene: Scene) -> None:
    """The bytes are in the journal before they are on the wire: mined while nobody looks, found at the next start."""
    endangered(scene, "1922.89")
    world, before = scene.world, scene.nonce()
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        pending(scene)
        keeper.process.kill()
        keeper.process.wait()
    block(world)
    world.rpc("evm_setAutomine", True)
    assert scene.nonce() == before + 1
    assert scene.health() == pytest.approx(1.6, rel=3e-3)
    code, row = scene.once("--live")
    assert code == 0, row
    assert scene.nonce() == before + 1, "nothing is sent twice"
    assert set(left(scene).values()) == {0}


def test_killed_with_a_bundle_that_was_dropped_it_is_sent_again(scene: Scene) -> None:
    """The node forgot it: the position is rescued all the same, once."""
    endangered(scene, "1922.89")
    world = scene.world
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        pending(scene)
        keeper.process.kill()
        keeper.process.wait()
    world.rpc("anvil_dropAllTransactions")
    world.rpc("evm_setAutomine", True)
    code, row = scene.once("--live")
    assert code == 0, row
    assert scene.health() == pytest.approx(1.6, rel=3e-3)
    assert set(left(scene).values()) == {0}


def test_debt_that_grew_between_decision_and_mining_is_repaid_all_the_same(scene: Scene) -> None:
    """A full close mined twenty minutes later, interest and all: nothing is owed, nothing stays in a hand."""
    scene.rules, scene.lends = FLASH_RULE.replace('{ health_factor = "1.60" }', '"close"'), True
    scene.open({"WETH": 100 * ETHER}, {"USDC": 152_000 * DOLLAR}).crash("1867.95")
    world = scene.world
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        pending(scene)
        world.rpc("evm_increaseTime", 1_200)
        block(world)
        keeper.wait_for('"kind": "restored"')
    assert world.debt("USDC", scene.owner) == 0
    assert set(left(scene).values()) == {0}


def test_a_bundle_replayed_by_a_stranger_takes_nothing_of_the_owner_s(scene: Scene) -> None:
    """The adapter pulls for whoever begins the bundle: he has no supply."""
    endangered(scene, "1922.89")
    world = scene.world
    code, row = scene.once("--live")
    assert code == 0, row
    sent = world.w3.eth.get_transaction(row["outcome"]["transactions"][-1])
    before = {s: world.supplied(s, scene.owner) for s in ("WETH", "USDC")}
    call = {"from": world.account(6).address, "to": sent["to"], "data": sent["input"], "gas": 5_000_000}
    with pytest.raises((ContractPanicError, ContractCustomError, Web3RPCError, ValueError)):
        world.w3.eth.call(call)
    assert {s: world.supplied(s, scene.owner) for s in before} == before
    assert set(left(scene).values()) == {0}


@pytest.mark.parametrize("share", [Decimal("0.001"), Decimal("0.3")], ids=["a trifle", "a third"])
def test_collateral_that_counts_for_no_loan_comes_first_or_is_named(scene: Scene, share: Decimal) -> None:
    """LTV 0: nothing else may leave while it secures debts. It is taken out of the way, sold first, or named."""
    scene.rules, scene.lends = FLASH_RULE.replace("1.60", "1.40"), True
    wbtc = int(share * 200_000 * 10**8 / 60_000)
    scene.open({"WETH": 100 * ETHER, "WBTC": wbtc}, {"USDC": 152_000 * DOLLAR})
    world = scene.world
    world.configure("configureReserveAsCollateral", world.token("WBTC").address, 0, 7800, 10500)
    while scene.health() > 1.16:
        scene.crash(str(round(float(world.price("WETH")) * 0.98, 2)))
    before = scene.nonce()
    code, row = scene.once("--live")
    if code == 0:
        assert row["outcome"]["kind"] in ("restored", "partial"), row["outcome"]
        assert scene.health() > 1.16
    else:
        assert row["decision"]["reason"] in ("collateral_stuck", "nothing_helps"), row["decision"]
        assert "WBTC" in row["decision"]["detail"]
        assert scene.nonce() == before
    assert set(left(scene).values()) == {0}


def test_frozen_collateral_still_leaves_and_paused_is_named(scene: Scene) -> None:
    """Frozen: no more of it comes in, and what is there may go. Paused: nothing moves, and the owner hears why."""
    endangered(scene, "1922.89")
    scene.world.pause("WETH")
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code != 0
    assert row["decision"]["reason"] == "reserve_unavailable", row["decision"]
    assert scene.nonce() == before
    scene.world.pause("WETH", on=False)
    scene.world.freeze("WETH")
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert set(left(scene).values()) == {0}


def test_an_owner_s_allowance_without_limit_is_no_use_to_a_stranger_and_ends_with_the_rescue(scene: Scene) -> None:
    """One that was given by hand once: bundles of others pull for themselves, and the permit sets it anew."""
    endangered(scene, "1922.89")
    world = scene.world
    at = world.addresses["bundler"]
    token = world.chain.at("TestnetERC20", world.addresses["a_tokens"]["WETH"])
    world.chain.send(token.functions.approve(at["general_adapter"], UINT256_MAX), scene.owner)
    stranger = world.account(6).address
    pull = world.chain.at("BundlerGeneralAdapter", at["general_adapter"]).encode_abi(
        "erc20TransferFrom", args=[token.address, stranger, ETHER]
    )
    bundler = world.chain.at("Bundler", at["bundler"])
    with pytest.raises(Exception, match=r".+"):
        bundler.functions.multicall([(at["general_adapter"], pull, 0, False, bytes(32))]).call({"from": stranger})
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert set(left(scene).values()) == {0}
