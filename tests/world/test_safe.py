"""An account that is a Safe: kept like any other by one of its owners, in one transaction and at any health."""

from __future__ import annotations

from pathlib import Path

import pytest
from safe_scene import SafeScene
from scenes import ETHER

from sandbox.safe.desk import SafeDesk
from sandbox.world import World

pytestmark = pytest.mark.world


@pytest.fixture
def desk(world: World) -> SafeDesk:
    """The contracts, with money in the vault."""
    made = SafeDesk(world)
    made.lend("USDC", 5_000_000)
    return made


@pytest.fixture
def scene(world: World, desk: SafeDesk, tmp_path: Path) -> SafeScene:
    """A Safe of one owner; nothing is open yet."""
    return SafeScene(world, tmp_path, desk=desk, safe=desk.make(world.account(0).address))


def left(scene: SafeScene) -> dict[str, int]:
    """What the exchange and the vault may still take of the Safe, and what the vault has beyond its reserves."""
    world, found = scene.world, dict[str, int]()
    takers = {
        "router": world.addresses["uniswap"]["swap_router_02"],
        "pool": world.pool.address,
        "vault": scene.desk.vault.address,
    }
    for symbol in ("WETH", "USDC"):
        token = world.token(symbol)
        found |= {f"{symbol} {n}": token.functions.allowance(scene.safe, at).call() for n, at in takers.items()}
        found[f"{symbol} at router"] = token.functions.balanceOf(takers["router"]).call()
    found["vault"] = world.balance("USDC", scene.desk.vault.address) - scene.desk.reserves("USDC")
    return found


@pytest.mark.parametrize(
    ("health", "price"),
    [("1.15", "2106.02"), ("1.10", "2014.46"), ("1.05", "1922.89"), ("1.016", "1860.63"), ("0.985", "1803.86")],
)
def test_a_safe_is_restored_by_one_transaction_at_any_health(scene: SafeScene, health: str, price: str) -> None:
    """Nonces n and n + 1 of the Safe in one transaction of its owner, at most 600,000 gas; nothing stays anywhere."""
    scene.open().crash(price)
    assert scene.health() == pytest.approx(float(health), rel=1e-3)
    keys, safes, stock = scene.nonce(), scene.safe_nonce(), scene.desk.reserves("USDC")
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert (scene.nonce(), scene.safe_nonce()) == (keys + 1, safes + 2)
    (sent,) = row["outcome"]["transactions"]
    gas = scene.world.w3.eth.get_transaction_receipt(sent)["gasUsed"]
    assert gas <= 600_000, gas
    assert scene.desk.reserves("USDC") == stock
    assert set(left(scene).values()) == {0}
    assert 0 < scene.world.balance("WETH", scene.owner) < 5 * ETHER, "what the sale did not take is the owner's"
