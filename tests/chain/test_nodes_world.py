"""Several nodes on real chains: two anvils, one a fork of the other, and the keeper's own reads and transactions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rpc_server import BOTH, PRIVATE, Bench

from keeper.chain import accounts
from keeper.chain.blocks import Blocks
from keeper.chain.errors import NodesDisagreeError
from keeper.chain.record import Aside
from keeper.core.units import Address
from keeper.venues.contracts import erc20, multicall3
from sandbox.world import World

pytestmark = pytest.mark.world


@pytest.fixture
def world() -> Iterator[World]:
    with World.start() as running:
        yield running


@pytest.fixture
def other(world: World) -> Iterator[World]:
    """Another node with the same history up to now."""
    with world.fork() as forked:
        yield forked


def address(world: World) -> Address:
    return Address(world.account(0).address)


def signed(world: World, nonce: int) -> str:
    account, fee = world.account(0), 10**11
    fields = {"chainId": world.w3.eth.chain_id, "nonce": nonce, "gas": 21_000, "to": account.address, "value": 1}
    raw = account.sign_transaction({**fields, "maxFeePerGas": fee, "maxPriorityFeePerGas": 10**9}).raw_transaction
    return str(raw.to_0x_hex())


async def test_a_node_killed_in_the_middle_is_not_missed(bench: Bench, world: World, other: World) -> None:
    """Heads, pinned reads and nonces go on with the other one, and it is said that one failed."""
    nodes = bench.nodes(other.url, world.url)
    blocks = Blocks(nodes, world.w3.eth.chain_id, multicall3.ADDRESS)
    await blocks.check_chain()
    block = await blocks.head()
    probe = erc20.wallet_probe(address(world), [], multicall3.ADDRESS)
    nodes.members[1].record = nodes.members[1].record.answered(60)  # so that the one to be killed is preferred
    before = await blocks.confirmed(block, probe)
    assert nodes.name == "n0"
    other.stop()
    for _ in range(5):
        world.mine()
        head = await blocks.head()
        assert head.number == world.w3.eth.block_number
        assert await blocks.read(head, probe) == before
    assert await accounts.nonce(nodes, address(world), pending=False) == 0
    assert bench.told == [("n0", Aside.FAILING)]


async def test_a_node_that_stays_behind_is_not_read_from_until_it_is_back(
    bench: Bench, world: World, other: World
) -> None:
    """The fork does not follow the world; its nonce of before must not count."""
    nodes = bench.nodes(other.url, world.url)
    blocks = Blocks(nodes, world.w3.eth.chain_id, multicall3.ADDRESS)
    await blocks.check_chain()
    await blocks.head()
    world.mine(4)
    await blocks.head()
    assert [n.state for n in nodes.status()] == ["lags 4 blocks", "fine"]
    await nodes.members[1].take(signed(world, 0))
    world.mine()
    await blocks.head()
    assert await accounts.nonce(nodes, address(world), pending=False) == 1
    await blocks.confirmed(await blocks.head(), erc20.wallet_probe(address(world), [], multicall3.ADDRESS))


async def test_two_nodes_with_different_blocks_disagree(bench: Bench, world: World, other: World) -> None:
    """Each mined a block of its own at the same number: one is watched on, but nothing is spent on its word."""
    nodes = bench.nodes(other.url, world.url)
    blocks = Blocks(nodes, world.w3.eth.chain_id, multicall3.ADDRESS)
    await blocks.check_chain()
    before = await blocks.head()
    world.warp(100)
    other.warp(200)
    head = await blocks.head()
    assert head.parent_hash == before.hash
    with pytest.raises(NodesDisagreeError, match=r"but n\d has 0x"):
        await blocks.confirmed(head, erc20.wallet_probe(address(world), [], multicall3.ADDRESS))


async def test_a_reorg_both_nodes_went_through_is_followed(bench: Bench, world: World) -> None:
    """A real one: the last three blocks are made anew."""
    nodes = bench.nodes(world.url)
    blocks = Blocks(nodes, world.w3.eth.chain_id, multicall3.ADDRESS)
    world.mine(5)
    old = await blocks.head()
    world.set_timestamp_interval(13)
    world.rpc("anvil_reorg", 3, [])
    new = await blocks.head()
    assert new.number == old.number
    assert new.hash != old.hash
    await blocks.read(new, erc20.wallet_probe(address(world), [], multicall3.ADDRESS))


async def test_a_transaction_is_private_first_and_public_when_told(bench: Bench, world: World, other: World) -> None:
    """The relay is the fork here: it mines for itself, and the world hears of it only when it goes public."""
    nodes = bench.nodes(world.url, other.url, roles=(BOTH, PRIVATE))
    nodes.members[1]._send_method = "eth_sendRawTransaction"
    nodes.members[1].node._allowed = frozenset({"eth_chainId", "eth_sendRawTransaction"})
    await nodes.check_chains()
    raw = signed(world, 0)
    sent = await nodes.send(raw, public=False)
    assert (sent.taken_by, sent.is_public) == (("n1",), False)
    assert await accounts.nonce(nodes, address(world), pending=True) == 0
    sent = await nodes.send(raw, public=True)
    assert "n0" in sent.taken_by
    assert await accounts.nonce(nodes, address(world), pending=True) == 1
