"""Lenders that ask more than agreed, hinder, or have nothing: what was signed bounds them; the next best is tried."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from scenes import ETHER, Scene
from test_flash import endangered, left
from test_flash_attacked import pending
from web3 import Web3
from web3.contract import Contract

from sandbox.chain import Chain

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]

TOLL = 100_000_000
"""A hundred dollars."""


def tolled(scene: Scene) -> Contract:
    """The lender of this world from now on takes a toll, none at first."""
    world, at = scene.world, scene.world.addresses["bundler"]["lender"]
    made = world.chain.deploy("TolledLender", sender=world.role("admin"))
    world.rpc("anvil_setCode", at, world.w3.eth.get_code(made.address).to_0x_hex())
    return world.chain.at("TolledLender", at)


def ask(chain: Chain, lender: Contract, toll: int, by: str) -> None:
    chain.send(lender.functions.setToll(toll), by)


def test_a_lender_that_asks_a_fee_gets_none_and_rounds_are_tried(scene: Scene) -> None:
    """It is known before anything is sent: the rehearsal refuses the loan, and the position is rescued by rounds."""
    endangered(scene, "2106.02")
    lender = tolled(scene)
    held = scene.world.balance("USDC", lender.address)
    ask(scene.world.chain, lender, 1, scene.world.role("admin"))
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.nonce() > before + 1
    assert scene.world.balance("USDC", lender.address) == held
    assert set(left(scene).values()) == {0}


def test_without_rounds_the_reason_of_a_fee_is_typed(scene: Scene) -> None:
    """Below liquidation nothing else helps: nothing is sent, and the reason names the lender's fee."""
    endangered(scene, "1803.86")
    ask(scene.world.chain, tolled(scene), TOLL, scene.world.role("admin"))
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code == 3
    assert row["decision"]["reason"] == "lender_refused", row["decision"]
    assert scene.nonce() == before


def test_a_fee_that_rises_between_decision_and_mining_is_not_paid(scene: Scene) -> None:
    """The lender is first in the block that was to have the bundle: all is undone, and rounds rescue the position."""
    endangered(scene, "2106.02")
    world, lender = scene.world, tolled(scene)
    held, supplied = world.balance("USDC", lender.address), world.supplied("WETH", scene.owner)
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        pending(scene)
        data = lender.encode_abi("setToll", [TOLL])
        world.w3.eth.send_transaction({
            "from": Web3.to_checksum_address(world.role("admin")), "to": lender.address, "data": data, "gas": 100_000,
            "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**12,
        })  # fmt: skip
        world.rpc("evm_mine")
        assert world.supplied("WETH", scene.owner) >= supplied, "nothing half done"
        world.rpc("evm_setAutomine", True)
        keeper.wait_for('"kind": "restored"', 120)
    assert world.balance("USDC", lender.address) == held, "no fee was paid"
    assert scene.health() == pytest.approx(1.6, rel=5e-3)
    assert set(left(scene).values()) == {0}


def test_a_lender_that_is_paid_back_by_nobody_keeps_what_it_lent(scene: Scene) -> None:
    """Whoever lends loses nothing by our bundle, and gains nothing: to the unit."""
    endangered(scene, "1922.89")
    held = scene.world.balance("USDC", scene.world.addresses["bundler"]["lender"])
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.world.balance("USDC", scene.world.addresses["bundler"]["lender"]) == held
    assert scene.world.balance("WETH", scene.owner) < ETHER


NINE_BPS = 9 * 10**14
BOUND = "most_fee_bps = 15"


def asking(scene: Scene, *, rate: int = NINE_BPS, bound: str = BOUND) -> Contract:
    """A lender that asks a share, in a table that says how much it may ask."""
    world = scene.world
    lender = tolled(scene)
    world.chain.send(lender.functions.setRate(rate), world.role("admin"))
    scene.write()
    file = scene.folder / "network.toml"
    text = file.read_text()
    assert text.count("[bundler3]\n") == 1
    file.write_text(text.replace("[bundler3]\n", f"[bundler3]\n{bound}\n"))
    return lender


@pytest.mark.parametrize("price", ["2106.02", "1922.89", "1803.86"])
def test_a_fee_within_its_bound_is_paid_and_the_target_is_reached(scene: Scene, price: str) -> None:
    """One transaction, also below liquidation: the lender has its fee to the unit, and nothing lies in a hand."""
    endangered(scene, price)
    lender, world = asking(scene), scene.world
    held, before = world.balance("USDC", lender.address), scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.nonce() == before + 1
    (flash,) = [s for s in row["plan"]["steps"] if "lender" in s]
    lent = int(Decimal(flash["bought"]) * 10**6)
    assert world.balance("USDC", lender.address) == held + -(-lent * NINE_BPS // 10**18)
    assert scene.health() == pytest.approx(1.6, rel=5e-3)
    assert set(left(scene).values()) == {0}


def test_a_fee_beyond_its_bound_is_named_and_rounds_are_tried(scene: Scene) -> None:
    """The owner has said what a loan may cost."""
    endangered(scene, "1803.86")
    asking(scene, rate=2 * NINE_BPS)
    code, row = scene.once("--live")
    assert code == 3
    assert "most_fee_bps" in json.dumps(row["decision"]), row["decision"]


def test_an_agreed_fee_that_rises_until_mining_undoes_all_and_is_agreed_anew(scene: Scene) -> None:
    """First in the block that was to have the bundle: nothing half done; the next plan pays the new fee, within the
    bound.
    """
    endangered(scene, "2106.02")
    world, lender = scene.world, asking(scene)
    supplied = world.supplied("WETH", scene.owner)
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        pending(scene)
        data = lender.encode_abi("setRate", [NINE_BPS * 4 // 3])
        world.w3.eth.send_transaction({
            "from": Web3.to_checksum_address(world.role("admin")), "to": lender.address, "data": data, "gas": 100_000,
            "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**12,
        })  # fmt: skip
        world.rpc("evm_mine")
        assert world.supplied("WETH", scene.owner) >= supplied, "nothing half done"
        world.rpc("evm_setAutomine", True)
        keeper.wait_for('"kind": "restored"', 120)
    assert scene.health() == pytest.approx(1.6, rel=5e-3)
    assert set(left(scene).values()) == {0}


def test_an_agreed_fee_that_falls_until_mining_leaves_the_rest_to_the_owner(scene: Scene) -> None:
    """What the lender does not take lies where anybody may take it for the time of the bundle, and no longer."""
    endangered(scene, "2106.02")
    world, lender = scene.world, asking(scene)
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        pending(scene)
        data = lender.encode_abi("setRate", [0])
        world.w3.eth.send_transaction({
            "from": Web3.to_checksum_address(world.role("admin")), "to": lender.address, "data": data, "gas": 100_000,
            "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**12,
        })  # fmt: skip
        held = world.balance("USDC", lender.address)
        world.rpc("evm_mine")
        world.rpc("evm_setAutomine", True)
        keeper.wait_for('"kind": "restored"', 120)
    assert world.balance("USDC", lender.address) == held, "no fee was taken"
    assert scene.health() == pytest.approx(1.6, rel=5e-3)
    assert set(left(scene).values()) == {0}
