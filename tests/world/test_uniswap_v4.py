"""Uniswap v4 on the real pool manager and the real router: sold within a bundle where it asks less."""

from __future__ import annotations

from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene
from test_flash import FLASH_RULE, left

from sandbox.uniswap_v4.desk import UniswapV4Desk

pytestmark = pytest.mark.world


def endangered(
    scene: Scene,
    *,
    depth_usd: int,
    fee: int = 100,
    times: int = 1,
    price: str = "1922.89",
    lends: bool = True,
    from_wallets: bool = True,
) -> UniswapV4Desk:
    """A hundred ether against 152,000 dollars near liquidation, and a pool of v4 at the feeds' price."""
    scene.rules, scene.lends = FLASH_RULE, lends
    scene.open({"WETH": times * 100 * ETHER}, {"USDC": times * 152_000 * DOLLAR}).crash(price)
    desk = UniswapV4Desk(scene.world)
    desk.pool("WETH", "USDC", fee=fee, depth_usd=depth_usd)
    scene.write()
    file = scene.folder / "network.toml"
    file.write_text(file.read_text() + desk.table(from_wallets=from_wallets))
    return desk


def swapped_at(scene: Scene, row: Any, desk: UniswapV4Desk) -> bool:
    receipt = scene.world.w3.eth.get_transaction_receipt(row["outcome"]["transactions"][-1])
    return any(log["address"] == desk.manager.address for log in receipt["logs"])


def test_a_sale_goes_to_the_pool_that_asks_less(scene: Scene) -> None:
    """Deep and cheap: the bundle sells there, all of it; nothing stays in the router or the manager's debt."""
    desk = endangered(scene, depth_usd=400_000_000)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert swapped_at(scene, row, desk)
    assert scene.health() == pytest.approx(1.6, rel=3e-3)
    assert set(left(scene).values()) == {0}
    for symbol in ("WETH", "USDC"):
        assert scene.world.balance(symbol, desk.router.address) == 0
        assert scene.world.token(symbol).functions.allowance(scene.owner, desk.router.address).call() == 0


def test_a_pool_that_is_dearer_is_left_alone(scene: Scene) -> None:
    """Thin: the other exchange serves as before."""
    desk = endangered(scene, depth_usd=300_000)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert not swapped_at(scene, row, desk)


def logged(scene: Scene, row: Any, desk: UniswapV4Desk) -> bool:
    receipts = [scene.world.w3.eth.get_transaction_receipt(h) for h in row["outcome"]["transactions"]]
    return any(log["address"] == desk.manager.address for r in receipts for log in r["logs"])


def test_without_a_permit2_rounds_do_not_trade_there(scene: Scene) -> None:
    """It sells within a bundle alone: rounds go to the exchange that takes from a wallet."""
    desk = endangered(scene, depth_usd=400_000_000, lends=False, from_wallets=False)
    code, row = scene.once("--live")
    assert not logged(scene, row, desk)
    assert row["outcome"]["kind"] in ("restored", "partial"), (code, row["outcome"])


def allowed(scene: Scene, desk: UniswapV4Desk, symbol: str) -> tuple[int, int, int]:
    """What Permit2 may take of the owner, and the router of Permit2, until when."""
    token = scene.world.token(symbol)
    taken = token.functions.allowance(scene.owner, desk.permit2.address).call()
    amount, until, _ = desk.permit2.functions.allowance(scene.owner, token.address, desk.router.address).call()
    return taken, amount, until


def test_rounds_buy_exactly_what_is_repaid_with_a_wallet_s_money(scene: Scene) -> None:
    """Without a lender, at the pool that asks less: what lets the router take ends with the deadline, and Permit2 may
    take nothing any more; nothing lies in the router.
    """
    desk = endangered(scene, depth_usd=400_000_000, price="2106.02", lends=False)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert logged(scene, row, desk)
    assert scene.health() == pytest.approx(1.6, rel=5e-3)
    for symbol in ("WETH", "USDC"):
        taken, _, until = allowed(scene, desk, symbol)
        assert taken == 0
        assert until <= scene.world.w3.eth.get_block("latest")["timestamp"] + 1_800, "no longer than the plan"
        assert scene.world.balance(symbol, desk.router.address) == 0
        assert scene.world.token(symbol).functions.allowance(scene.owner, desk.router.address).call() == 0


def test_a_batch_trades_there_in_one_transaction(scene: Scene) -> None:
    """Each round lets the router take just what it sells."""
    desk = endangered(scene, depth_usd=400_000_000, price="2106.02", lends=False)
    scene.config.write_text(scene.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert logged(scene, row, desk)
    assert allowed(scene, desk, "WETH")[0] == 0


def test_a_wrong_manager_is_named(scene: Scene) -> None:
    """The address to correct, and everything else is kept."""
    desk = endangered(scene, depth_usd=400_000_000)
    file = scene.folder / "network.toml"
    file.write_text(file.read_text().replace(desk.manager.address, scene.world.token("WETH").address))
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    said = scene.keeper("doctor")
    assert "belongs to another pool manager" in said.stdout + said.stderr


def test_a_sale_is_split_where_two_pools_ask_less_than_one(scene: Scene) -> None:
    """A pool of v3 and one of v4 in one bundle: cheaper by more than its gas, and nothing left anywhere."""
    desk = endangered(scene, depth_usd=40_000_000, fee=500, times=4)
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.nonce() == before + 1
    receipt = scene.world.w3.eth.get_transaction_receipt(row["outcome"]["transactions"][-1])
    swap = scene.world.w3.keccak(text="Swap(address,address,int256,int256,uint160,uint128,int24)")
    assert any(log["address"] == desk.manager.address for log in receipt["logs"])
    assert any(log["topics"][0] == swap for log in receipt["logs"]), "and a pool of v3"
    assert scene.health() == pytest.approx(1.6, rel=3e-3)
    assert set(left(scene).values()) == {0}
    assert scene.world.balance("WETH", desk.router.address) == 0
