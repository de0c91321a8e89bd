"""Approvals that plans left standing are taken back: exact sums they are, and still nobody's business afterwards."""

from __future__ import annotations

import pytest
from scenes import ETHER, Scene
from test_flash import endangered, left

pytestmark = pytest.mark.world


def standing(scene: Scene) -> dict[tuple[str, str], int]:
    """What market and router may still take of the owner's wallet."""
    world, found = scene.world, dict[tuple[str, str], int]()
    for symbol in ("WETH", "USDC"):
        for name, at in (("market", world.pool.address), ("router", world.addresses["uniswap"]["swap_router_02"])):
            allowed = world.token(symbol).functions.allowance(scene.owner, at).call()
            found |= {(symbol, name): allowed} if allowed else {}
    return found


def cut_short(scene: Scene) -> None:
    """Rounds of a plan, killed after the approvals and a round of it were mined."""
    scene.crash("1922.89")
    world = scene.world
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        keeper.wait_for("sent")
        for _ in range(200):
            if int(world.rpc("txpool_status")["pending"], 16) >= 3:
                break
            world.rpc("evm_mine") if not standing(scene) else None
        world.rpc("evm_mine")
        keeper.process.kill()
        keeper.process.wait()
    world.rpc("anvil_dropAllTransactions")
    world.rpc("evm_setAutomine", True)


def test_approvals_of_rounds_cut_short_are_taken_back_once_nobody_needs_help(scene: Scene) -> None:
    """Killed between rounds: the position is rescued first, and what the dead plan approved is gone at the end."""
    scene.open({"WETH": 10 * ETHER}).write()
    cut_short(scene)
    assert standing(scene), "the scene is what it should be"
    scene.crash("2400")  # by then nothing is wrong
    code, row = scene.once("--live")
    assert code == 0, row
    assert standing(scene) == {}
    before = scene.nonce()
    scene.once("--live")
    assert scene.nonce() == before, "once is enough"


def test_a_rescue_whose_permit_was_used_in_part_leaves_no_approval(scene: Scene) -> None:
    """An allowance by hand that is larger than the permit's is set by it; what the tokens say decides, not the plan."""
    endangered(scene, "1922.89")
    world = scene.world
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    token = world.chain.at("TestnetERC20", world.addresses["a_tokens"]["WETH"])
    world.chain.send(token.functions.approve(world.addresses["bundler"]["general_adapter"], 5), scene.owner)
    scene.once("--live")
    assert set(left(scene).values()) == {0}
