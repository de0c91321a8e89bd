"""What is left valid of a rescue that did not happen, played by a stranger on real contracts: nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from armed_stage import staged
from proxy import Answer, Request, RpcProxy, refuse
from safe_scene import SafeScene
from web3 import Web3

from keeper.execution.wishes import wish_key
from sandbox.errors import RevertedError
from sandbox.safe.desk import SafeDesk
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]  # the first to ask compiles the vault
MAX = 2**256 - 1
SEND = "eth_sendRawTransaction"


@pytest.fixture(params=["1.5.0", "1.4.1"])
def scene(world: World, proxy: RpcProxy, tmp_path: Path, request: pytest.FixtureRequest) -> SafeScene:
    """A Safe of one owner near liquidation, that once approved exchange and market without limit; its keeper's node
    can be told to misbehave."""
    desk = SafeDesk(world, request.param)
    desk.lend("USDC", 5_000_000)
    made = SafeScene(world, tmp_path, url=proxy.url, desk=desk, safe=desk.make(world.account(0).address))
    made.open().crash("1922.89")
    with world.acting_as(made.safe):
        for symbol, taker in (("WETH", world.addresses["uniswap"]["swap_router_02"]), ("USDC", world.pool.address)):
            approve = world.token(symbol).functions.approve(taker, MAX)
            world.chain.send(approve, made.safe)
    return made


class Sends:
    """The transactions that the keeper hands over, and what happens before each."""

    def __init__(self, *before: Callable[[], None], refused_from: int | None = None) -> None:
        self.before, self.refused_from, self.raw = before, refused_from, list[str]()

    def __call__(self, request: Request, onward: Callable[[], Answer]) -> Answer:
        if request["method"] != SEND:
            return onward()
        count = len(self.raw)
        if self.refused_from is not None and count >= self.refused_from:
            return refuse(request)
        self.raw.append(request["params"][0])
        if count < len(self.before):
            self.before[count]()
        return onward()


def pools_fall(scene: SafeScene) -> Callable[[], None]:
    """Somebody trades before us in our own block: the sale asks for more than it may give."""

    def fall() -> None:
        world = World.attach(scene.world.url)
        world.set_pool_price("WETH", "USDC", "1500", 500)
        world.set_pool_price("WETH", "USDC", "1500", 3000)

    return fall


def inner_half(world: World, raw: str) -> bytes:
    """What the vault calls the Safe back with, as anybody can read it who has seen the transaction."""
    data = bytes.fromhex(raw[2:])
    at = data.index(Web3.keccak(text="unlock(bytes)")[:4]) + 4 + 32
    return data[at + 32 : at + 32 + int.from_bytes(data[at : at + 32], "big")]


def can_run(scene: SafeScene, inner: bytes) -> bool:
    """Whether a stranger's contract, in a session of its own, makes the Safe do what was signed. It stays undone."""
    desk, world = scene.desk, scene.world
    snapshot = world.snapshot()
    try:
        opened = desk.stranger.functions.open(desk.vault.address, scene.safe, inner)
        world.chain.send(opened, world.role("arbitrageur"), 3_000_000)
    except RevertedError:
        return False
    finally:
        world.revert(snapshot)
    return True


def by_hand(scene: SafeScene) -> None:
    """Another program of the owner's uses the Safe's next nonce for something else."""
    token = scene.world.token("DAI")
    data = token.encode_abi("approve", [scene.world.pool.address, 0])
    scene.desk.run(scene.safe, scene.world.account(0), token.address, data)


def test_with_only_n_spent_a_stranger_could_run_the_inner_half(scene: SafeScene, proxy: RpcProxy) -> None:
    """So it is, and this is why the keeper uses up both: shown on a rescue that reverted, before anything was done."""
    proxy.around = sends = Sends(pools_fall(scene), refused_from=1)
    code, row = scene.once("--live")
    assert code != 0
    assert row["outcome"]["kind"] == "failed", row["outcome"]
    scene.world.align_pools()
    inner = inner_half(scene.world, sends.raw[0])
    assert (scene.safe_nonce(), can_run(scene, inner)) == (0, False), "nothing of it happened, and n is not used yet"
    by_hand(scene)
    assert can_run(scene, inner), "the danger is real"


def test_a_rescue_that_reverted_leaves_a_stranger_nothing(scene: SafeScene, proxy: RpcProxy) -> None:
    """The same, and the keeper is let: one transaction of its owner uses up n and n + 1, and the owner hears of it."""
    proxy.around = sends = Sends(pools_fall(scene))
    keys = scene.nonce()
    scene.once("--live")
    scene.world.align_pools()
    assert scene.health() < 1.1, "the pools paid too little for any other plan"
    assert (scene.nonce(), scene.safe_nonce()) == (keys + 2, 2)
    assert not can_run(scene, inner_half(scene.world, sends.raw[0]))
    by_hand(scene)
    assert not can_run(scene, inner_half(scene.world, sends.raw[0]))


@pytest.mark.parametrize("falls", ["nothing is asked for any more", "danger is still there, and nobody lends"])
def test_after_a_kill_the_journal_knows_what_was_shown(scene: SafeScene, proxy: RpcProxy, falls: str) -> None:
    """A keeper that ended before it could use it up: the next one does, alone or within whatever it does instead."""
    proxy.around = sends = Sends(pools_fall(scene), refused_from=1)
    scene.once("--live")
    assert scene.safe_nonce() == 0
    inner, keys = inner_half(scene.world, sends.raw[0]), scene.nonce()
    proxy.around = None
    if falls.startswith("nothing"):
        scene.crash("4000")
    else:
        scene.world.align_pools()
        scene.world.warp(600)
        scene.world.refresh_feeds()
        scene.world.rpc("anvil_setCode", scene.desk.vault.address, "0x")
    scene.once("--live")
    assert scene.nonce() > keys
    assert scene.safe_nonce() >= 2
    assert falls.startswith("nothing") or scene.health() == pytest.approx(1.6, rel=2e-3)
    assert not can_run(scene, inner)


async def test_a_pending_rescue_is_cancelled_with_both_nonces(scene: SafeScene, proxy: RpcProxy) -> None:
    """The owner takes it back by hand while it waits: what takes its place uses up n and n + 1, once."""
    scene.write()
    proxy.around = sends = Sends()
    async with staged(scene) as stage:
        scene.world.rpc("evm_setAutomine", False)
        await stage.look()
        async with asyncio.timeout(20):
            while not sends.raw:  # noqa: ASYNC110 - a node
                await asyncio.sleep(0.05)
        journal, chain_id = stage.engine.journal, stage.engine.reader.network.chain_id
        (row,) = await journal.transactions.unfinished(chain_id, scene.signer)  # type: ignore[attr-defined]
        await journal.facts.set(wish_key(chain_id, scene.signer), {str(row.id): "cancel"})
        async with asyncio.timeout(20):
            while len(sends.raw) < 2:  # noqa: ASYNC110 - a node
                await asyncio.sleep(0.05)
        scene.world.mine()
        await stage.engine.settle()
        scene.world.rpc("evm_setAutomine", True)
        (one, other) = await journal.transactions.at_nonce(chain_id, scene.signer, row.nonce)  # type: ignore[attr-defined]
        assert (one.state, other.state, other.purpose.split(":")[0]) == ("cancelled", "mined", "cancel")
    assert scene.safe_nonce() == 2
    assert not can_run(scene, inner_half(scene.world, sends.raw[0]))


def test_another_owners_transaction_meanwhile_reverts_the_rescue_and_the_next_one_works(
    scene: SafeScene, proxy: RpcProxy
) -> None:
    """The Safe's nonce moved before the block: the inner signature is for another one, and nothing is half done."""

    def meanwhile() -> None:
        world = World.attach(scene.world.url)
        desk = scene.desk
        other = SafeScene(world, scene.folder, desk=desk, safe=scene.safe)
        by_hand(other)

    proxy.around = sends = Sends(meanwhile)
    code, row = scene.once("--live")
    first = scene.world.w3.eth.get_transaction_receipt(Web3.keccak(hexstr=sends.raw[0]))
    assert first["status"] == 0
    assert (row["outcome"]["kind"], row["outcome"]["reason"]) == ("failed", "safe_nonce_used"), row["outcome"]
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), json.dumps(row["outcome"])
    assert not can_run(scene, inner_half(scene.world, sends.raw[0]))


def test_where_it_cannot_be_used_up_nothing_is_sent_again_and_again(scene: SafeScene, proxy: RpcProxy) -> None:
    """The threshold was raised meanwhile: the owner hears of it, and pays for no transaction that must revert."""
    world = scene.world

    def raised() -> None:
        there = World.attach(world.url)
        scene.desk.configure(scene.safe, there.account(0), "addOwnerWithThreshold", there.account(1).address, 2)
        pools_fall(scene)()

    proxy.around = sends = Sends(raised)
    keys = scene.nonce()
    found = scene.keeper("once", "--live")
    assert found.exit_code == 3, found.output
    assert (scene.nonce(), len(sends.raw)) == (keys + 1, 1)
    assert "could not be used up" in " ".join((found.output + found.stderr).split())
