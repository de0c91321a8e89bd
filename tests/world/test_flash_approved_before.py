"""A supply whose token takes no permit: the approval goes before, and where it is missing or too small nothing is half
done.
"""

from __future__ import annotations

import pytest
from lying_token import liar
from scenes import Scene
from test_flash import endangered, left
from test_flash_attacked import pending
from test_flash_robbed import FIRST
from web3 import Web3

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]


def test_without_a_permit_the_approval_goes_before_and_is_used_up(scene: Scene) -> None:
    """Two transactions, one after the other: exactly what is pulled, and nothing of it is left."""
    endangered(scene, "1922.89")
    liar(scene, "WETH", is_supply=True).withholds(0)
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.nonce() == before + 2
    assert set(left(scene).values()) == {0}


@pytest.mark.parametrize("percent", [1, 100], ids=["too small", "missing"])
def test_an_approval_that_gives_too_little_is_named_and_rounds_are_tried(scene: Scene, percent: int) -> None:
    """The rehearsal shows it: nothing is sent that would revert."""
    endangered(scene, "2106.02")
    liar(scene, "WETH", is_supply=True).withholds(percent)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert set(left(scene).values()) == {0}


@pytest.mark.parametrize("percent", [1, 100], ids=["too small", "missing"])
def test_below_liquidation_the_reason_is_typed(scene: Scene, percent: int) -> None:
    """Where nothing else helps it is a hold with its reason, and nothing was sent."""
    endangered(scene, "1803.86")
    liar(scene, "WETH", is_supply=True).withholds(percent)
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code == 3
    assert row["decision"]["reason"] == "approval_missing", row["decision"]
    assert scene.nonce() == before


@pytest.mark.parametrize("percent", [1, 100], ids=["too small", "missing"])
def test_an_approval_that_is_not_there_by_mining_undoes_the_bundle_and_rounds_follow(
    scene: Scene, percent: int
) -> None:
    """It turned between decision and mining: undone whole, said with its reason, and the next best plan restores it."""
    endangered(scene, "2106.02")
    world, lying = scene.world, liar(scene, "WETH", is_supply=True)
    lying.withholds(0)
    supplied = world.supplied("WETH", scene.owner)
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        pending(scene, 2)
        data = world.chain.at("LyingToken", lying.token).encode_abi("lieAboutApprovals", [percent])
        world.w3.eth.send_transaction({
            "from": Web3.to_checksum_address(world.role("lp")), "to": lying.token, "data": data,
            "gas": 200_000, **FIRST,
        })  # fmt: skip
        world.rpc("evm_mine")
        assert world.supplied("WETH", scene.owner) >= supplied, "nothing half done"
        world.rpc("evm_setIntervalMining", 1)
        keeper.wait_for("approval_missing")
        keeper.wait_for('"kind": "restored"', 120)
        world.rpc("evm_setIntervalMining", 0)
        world.rpc("evm_setAutomine", True)
    assert scene.health() == pytest.approx(1.6, rel=5e-3)
    assert set(left(scene).values()) == {0}
