"""What others may do to a perpetual position, and nodes to its keeper, through the keeper's own commands."""

from __future__ import annotations

import sqlite3
import time

import pytest
from proxy import Answer, Request, RpcProxy, failing
from scenes import DOLLAR, ETHER, Scene
from scenes import RULE as LENDING
from test_gmx_kept import BOOK, STOP, kept, made, once, opened, rule
from test_perps_kept import MARGIN, perps, squeeze

from sandbox.world import World

pytestmark = pytest.mark.world

LIMITED = "query exceeds max block range 1000"
MARKET_DECREASE = 4


def second_collateral(world: World) -> str:
    """List WETH as collateral of Perp v2 beside USDC; its address."""
    desk = world.perp
    manager = world.chain.at("CollateralManager", desk.vault.functions.getCollateralManager().call())
    feed, weth = world.chain.at("BaseToken", desk.base).functions.getPriceFeed().call(), world.token("WETH").address
    admin = world.role("admin")
    world.chain.send(manager.functions.addCollateral(weth, (feed, 700_000, 100_000, 10**24)), admin)
    world.chain.send(manager.functions.setMaxCollateralTokensPerAccount(5), admin)
    return str(weth)


def give(scene: Scene, amount: int) -> None:
    """A stranger deposits WETH into the owner's account."""
    world, weth, stranger = scene.world, second_collateral(scene.world), scene.world.account(5).address
    vault = world.perp.vault
    world.mint("WETH", stranger, amount)
    with world.acting_as(stranger):
        world.chain.send(world.token("WETH").functions.approve(vault.address, amount), stranger)
        world.chain.send(vault.functions.depositFor(scene.owner, weth, amount), stranger)


# --- strangers -------------------------------------------------------------------------------------------------------


def test_a_stranger_s_wei_of_another_collateral_blinds_nobody(scene: Scene) -> None:
    """``depositFor`` is anybody's; a little of what is not reckoned counts as nothing."""
    desk = scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    give(scene, 1)
    perps(scene, MARGIN.format(actions='"reduce"'))
    squeeze(scene.world, "2400")
    _, rows = once(scene, "--live")
    assert made(rows["short"])[0] == "restored", rows["short"]


def test_another_collateral_of_worth_is_not_guessed(scene: Scene) -> None:
    """It would move with its own price."""
    scene.world.perp.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    give(scene, ETHER)
    perps(scene, MARGIN.format(actions='"reduce"'))
    _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("hold", "position_unreadable"), rows["short"]


# --- orders ----------------------------------------------------------------------------------------------------------


def test_an_owner_s_late_order_is_told_and_left_alone(scene: Scene) -> None:
    """What the keeper did not place it does not take back, however late."""
    world = scene.world
    own = world.gmx.order(opened(scene).owner, MARKET_DECREASE, 500)
    kept(scene, rule('"reduce"'))
    world.warp(400)
    world.refresh_feeds()
    told = "".join(once(scene, "--live")[0] for _ in range(2))
    assert told.count("not the keeper's") == 1, told
    assert world.gmx.orders() == [own]


def test_a_node_that_refuses_logs_does_not_hold_up_a_rescue(scene: Scene, proxy: RpcProxy) -> None:
    """What became of an order of before cannot be told; what it did is seen in the position."""
    world, scene.url = scene.world, proxy.url
    kept(opened(scene), rule('"reduce"', more='cooldown = "1s"'), patience="1s")
    world.set_price("WETH", "2400")
    _, rows = once(scene, "--live")
    assert made(rows["short"])[1] == "order_late", rows["short"]
    (order,) = world.gmx.orders()
    world.gmx.execute(order)
    world.set_price("WETH", "2620")
    world.mine()
    proxy.fault = failing("eth_getLogs", -32005, LIMITED)
    told, rows = once(scene, "--live")
    assert "is not known" in told, told
    assert rows["short"]["decision"]["kind"] == "act", rows["short"]
    assert world.gmx.orders()


def _blocks(request: Request) -> int:
    asked = request["params"][0]
    return int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) + 1


def test_a_node_with_a_limit_on_ranges_still_tells_what_became_of_an_order(scene: Scene, proxy: RpcProxy) -> None:
    """What it refuses is asked for in smaller pages."""

    def limited(request: Request) -> Answer | None:
        if request["method"] == "eth_getLogs" and _blocks(request) > 2:
            return failing("eth_getLogs", -32005, LIMITED)(request)
        return None

    world, scene.url = scene.world, proxy.url
    kept(opened(scene), rule('"reduce"'), patience="1s")
    world.set_price("WETH", "2400")
    once(scene, "--live")
    (order,) = world.gmx.orders()
    world.gmx.execute(order)
    world.mine()
    proxy.fault = limited
    told, _ = once(scene, "--live")
    assert "order_done" in told, told


def test_an_order_that_a_kill_left_unwritten_is_known_again(scene: Scene) -> None:
    """What our own mined transactions created is ours: a stop goes with its rule all the same."""
    world = scene.world
    kept(opened(scene), rule('"close"', **STOP))
    once(scene, "--live")
    assert len(world.gmx.orders()) == 1
    forget(scene)
    scene.config.unlink()
    kept(scene, rule('"reduce"'))
    once(scene, "--live")
    assert not world.gmx.orders()


def test_a_rescue_does_not_wait_for_an_order_that_waits(scene: Scene) -> None:
    """The signer is free for the loop while the exchange is slow with the hedge; the order is looked after later."""
    world = scene.open().world
    world.mint("USDC", scene.owner, 10_000 * DOLLAR)
    kept(scene, LENDING, BOOK.format(time="10m"), patience="10m")
    with scene.running("--live") as keeper:
        while not world.gmx.orders():
            time.sleep(0.05)
        scene.crash("1500")
        keeper.wait_for("the signer is wanted")
        for _ in range(40):
            if scene.health() > 1.5:
                break
            world.mine()
            time.sleep(0.25)
    assert scene.health() > 1.5


def forget(scene: Scene) -> None:
    """As if the keeper had been killed before it wrote the keys of its orders down."""
    with sqlite3.connect(scene.folder / "keeper.sqlite") as database:
        gone = database.execute("DELETE FROM facts WHERE key LIKE 'resting:%' OR key LIKE 'orders:%'")
        assert gone.rowcount


def test_orders_that_cost_too_much_for_their_position_are_not_left(scene: Scene) -> None:
    """What an execution takes is several times the gas of leaving the order: the ceiling on that is not enough."""
    world = scene.world
    kept(opened(scene), rule('"reduce"'))
    world.set_price("WETH", "2400")
    world.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * 10**9))
    world.mine()
    _, rows = once(scene)
    assert made(rows["short"]) == ("hold", "fee_limit"), rows["short"]
    assert "orders carry" in rows["short"]["decision"]["detail"]
