"""An account that is a Safe: kept like any other by one of its owners, in one transaction and at any health."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from armed_stage import AS_USUAL, AT_ONCE, staged
from proxy import RpcProxy
from safe_scene import SafeScene
from scenes import DOLLAR, ETHER

from sandbox.morpho.desk import MorphoDesk
from sandbox.safe.desk import SafeDesk
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]  # the first to ask compiles the vault


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


@pytest.mark.parametrize("lends", [True, False], ids=["by a loan", "by rounds"])
def test_a_safe_of_1_4_is_kept_as_well(world: World, tmp_path: Path, lends: bool) -> None:
    """Most that are in use are older: another word for yes in a rehearsal, and errors that say nothing."""
    desk = SafeDesk(world, "1.4.1")
    if lends:
        desk.lend("USDC", 5_000_000)
    scene = SafeScene(world, tmp_path, desk=desk, safe=desk.make(world.account(0).address))
    scene.open().crash("1860.63")
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert (scene.nonce(), scene.safe_nonce()) == (1, 2 if lends else 1)
    assert set(left(scene).values()) == {0}
    assert "version 1.4.1" in " ".join(scene.keeper("doctor").output.split())


async def test_a_rescue_of_a_safe_made_ready_is_one_read_and_one_send(scene: SafeScene, proxy: RpcProxy) -> None:
    """Signed for the nonces that the block's own read shows; what was shown is in the journal before it is sent."""
    scene.url = proxy.url
    scene.open().crash("2290")
    scene.write()
    async with staged(scene) as stage:
        assert await stage.arm()
        stage.come("2286")
        proxy.forget()
        assert (await stage.how()).startswith(AT_ONCE), stage.why
        asked = [request["method"] for request in proxy.asked]
        assert asked[: asked.index("eth_sendRawTransaction") + 1] == [
            "eth_getBlockByNumber",
            "eth_call",
            "eth_sendRawTransaction",
        ]
        fact = await stage.engine.journal.facts.get(f"safe:31337:{scene.safe}")
        assert fact == {"nonce": 1}
    assert (scene.nonce(), scene.safe_nonce()) == (1, 2)
    assert scene.health() == pytest.approx(1.6, rel=2e-3)


async def test_what_was_made_ready_for_another_nonce_of_the_safe_is_not_sent(scene: SafeScene) -> None:
    """Another owner acted since: it is made anew, and rehearsed as usual."""
    scene.open().crash("2290")
    scene.write()
    async with staged(scene) as stage:
        assert await stage.arm()
        token = scene.world.token("DAI")
        data = token.encode_abi("approve", [scene.world.pool.address, 0])
        scene.desk.run(scene.safe, scene.world.account(0), token.address, data)
        stage.come("2286")
        assert (await stage.how()).startswith(AS_USUAL), stage.why
    assert scene.safe_nonce() == 3
    assert scene.health() == pytest.approx(1.6, rel=2e-3)


def test_a_safe_borrows_of_morpho_where_the_vault_has_nothing(scene: SafeScene) -> None:
    """The bundler takes a Safe like any account: approval and bundle are calls of one transaction, by nonce n alone."""
    scene.lends = True
    scene.open().crash("1860.63")
    scene.world.rpc("anvil_setCode", scene.desk.vault.address, "0x")
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert (scene.nonce(), scene.safe_nonce()) == (1, 1)
    assert scene.world.balance("USDC", scene.safe) > DOLLAR
    assert scene.health() == pytest.approx(1.6, rel=2e-3)


def test_one_rescue_borrows_of_two_lenders_where_neither_has_enough(world: World, tmp_path: Path) -> None:
    """Balancer's vault and Morpho, one after the other in one transaction: below liquidation rounds could not do it."""
    desk, lender = SafeDesk(world), world.addresses["bundler"]["lender"]
    desk.lend("USDC", 70_000)
    world.rpc("anvil_setBalance", lender, hex(10**18))
    with world.acting_as(lender):
        rest = world.balance("USDC", lender) - 80_000 * DOLLAR
        world.chain.send(world.token("USDC").functions.transfer(world.role("lp"), rest), lender)
    scene = SafeScene(world, tmp_path, desk=desk, safe=desk.make(world.account(0).address))
    scene.lends = True
    scene.open().crash("1803.86")
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), (row["decision"], row["outcome"])
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert (scene.nonce(), scene.safe_nonce()) == (1, 2)
    assert (desk.reserves("USDC"), world.balance("USDC", lender)) == (70_000 * DOLLAR, 80_000 * DOLLAR)
    assert set(left(scene).values()) == {0}


def test_the_daemon_keeps_a_safe_and_asks_nothing_more_of_it_afterwards(scene: SafeScene, proxy: RpcProxy) -> None:
    """Through a fall, live; once the rescue is final a quiet block is one read, as for any other account."""
    scene.url = proxy.url
    scene.open().crash("2400")
    scene.extra = "confirmations = 1"
    with scene.running("--live") as keeper:
        keeper.wait_for("block")
        scene.crash("1922.89")
        keeper.wait_for("restored")
        for _ in range(4):
            scene.world.mine()
            time.sleep(0.5)
        proxy.forget()
        scene.world.mine()
        time.sleep(1.5)
        assert proxy.methods["eth_call"] <= 1 + proxy.methods["eth_getBlockByNumber"], proxy.methods
        nonces = [r for r in proxy.asked if r["method"] == "eth_call" and r["params"][0].get("to") == scene.safe]
        assert nonces == [], "a signature that is dead is asked about no more"
        assert keeper.stop() == 0
    assert (scene.nonce(), scene.safe_nonce()) == (1, 2)
    assert scene.health() == pytest.approx(1.6, rel=2e-3)


def test_a_safe_s_market_of_morpho_is_restored_in_one_transaction(scene: SafeScene) -> None:
    """It takes its own collateral out when it is called back: nobody is let act for it, at 0.985 too."""
    morpho = MorphoDesk(scene.world)
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.safe, 100 * ETHER, 152_000 * DOLLAR)
    scene.crash("1740")
    assert morpho.health(id_, scene.safe) < 1
    scene.write()
    text = scene.config.read_text()
    text = text.replace('venue = "aave_v3"\n', f'venue = "morpho_blue"\nmarket = "{id_}"\n', 1)
    scene.config.write_text(text)
    file = scene.folder / "network.toml"
    file.write_text(file.read_text() + morpho.table())
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, (row["outcome"] or {}).get("kind")) == (0, "restored"), row
    assert float(morpho.health(id_, scene.safe)) == pytest.approx(1.6, rel=5e-3)
    assert scene.nonce() == before + 1
    receipt = scene.world.w3.eth.get_transaction_receipt(row["outcome"]["transactions"][-1])
    assert receipt["gasUsed"] <= 600_000
    assert morpho.blue.functions.nonce(scene.safe).call() == 0
    for symbol in ("WETH", "USDC"):
        assert scene.world.token(symbol).functions.allowance(scene.safe, morpho.blue.address).call() == 0
