"""Lenders that ask more than agreed, hinder, or have nothing: what was signed bounds them; the next best is tried."""

from __future__ import annotations

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
