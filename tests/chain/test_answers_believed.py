"""What a node answers is believed only if it is an answer to what was asked."""

from typing import Any

import pytest
from eth_utils.crypto import keccak
from rpc_server import BOTH, PRIVATE, Bench, hash_of

from keeper.chain import accounts
from keeper.chain.blocks import Blocks
from keeper.chain.errors import NodeAwayError, NodeError
from keeper.core.units import Address

ME = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
RAW = "0x02"
HASH = "0x" + keccak(hexstr=RAW).hex()
OTHER = "0x" + "5" * 64
SENDS = ("eth_sendRawTransaction", "eth_sendPrivateTransaction")


def receipt(**changed: Any) -> dict[str, Any]:
    true = {
        "transactionHash": HASH,
        "from": ME.lower(),
        "to": ME.lower(),
        "status": "0x1",
        "blockNumber": "0x64",
        "blockHash": hash_of(100),
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x1",
    }
    return true | changed


@pytest.mark.parametrize("answer", [None, OTHER, "", "0x", 1, {"hash": HASH}, [HASH], HASH[:-1]])
@pytest.mark.parametrize("role", [BOTH, PRIVATE])
async def test_a_send_is_taken_only_if_its_own_hash_comes_back(bench: Bench, answer: Any, role: Any) -> None:
    """Null, another hash, anything else: the bytes were not taken, and will be said again. Relays likewise."""
    a, b = await bench.server(), await bench.server()
    b.results = dict.fromkeys(SENDS, answer)
    nodes = bench.nodes(a, b, roles=(BOTH, role))
    sent = await nodes.send(RAW, public=role is BOTH)
    assert "n1" not in sent.taken_by
    assert [e.node for e in sent.failed] == ["n1"]
    assert "not the hash" in str(sent.failed[0])


async def test_the_hash_comes_back_in_any_letters(bench: Bench) -> None:
    """Capitals make no other hash."""
    a = await bench.server()
    a.results = {SENDS[0]: "0x" + HASH[2:].upper()}
    assert (await bench.nodes(a).send(RAW, public=True)).is_taken


async def test_one_connection_alone_checks_the_hash_too(bench: Bench) -> None:
    """``accounts.send`` is what a lane has where no set of nodes is between."""
    a = await bench.server()
    a.results = {SENDS[0]: None}
    with pytest.raises(NodeAwayError, match="not the hash"):
        await accounts.send(bench.nodes(a).members[0].node, RAW)


@pytest.mark.parametrize(
    "changed",
    [
        {"transactionHash": OTHER},
        {"from": "0x" + "22" * 20},
        {"to": "0x" + "22" * 20},
        {"to": None},
        {"status": "0x2"},
        {"status": "0x-1"},
        {"blockNumber": "-0x5"},
        {"blockHash": "0x12"},
        {"gasUsed": "0x" + "f" * 20},
        {"effectiveGasPrice": "0x" + "f" * 64},
    ],
)
async def test_a_receipt_of_something_else_is_none(bench: Bench, changed: dict[str, Any]) -> None:
    """Hash, sender and target are those asked for; figures make sense. Else another node is asked."""
    a, b = await bench.server(), await bench.server()
    a.results = b.results = {"eth_getTransactionReceipt": receipt(**changed)}
    nodes = bench.nodes(a, b)
    with pytest.raises(NodeAwayError, match="receipt"):
        await accounts.receipt(nodes, HASH, ME, ME)
    b.results = {"eth_getTransactionReceipt": receipt()}
    found = await accounts.receipt(nodes, HASH, ME, ME)
    assert found is not None
    assert found.succeeded


@pytest.mark.parametrize("told", ["-0x5", "0x" + "f" * 20, "5", None, "0x5_0"])
async def test_a_nonce_is_a_quantity_within_bounds(bench: Bench, told: Any) -> None:
    """``int("-0x5", 16)`` is minus five: a lane would begin there. The other node's word counts."""
    a, b = await bench.server(), await bench.server()
    a.results = {"eth_getTransactionCount": told}
    assert await accounts.nonce(bench.nodes(a, b), ME, pending=False) == b.nonce
    b.results = a.results
    for at in ("latest", {"blockHash": hash_of(100)}):
        with pytest.raises(NodeError):
            await accounts.nonce(bench.nodes(a, b), ME, pending=False) if at == "latest" else await accounts.nonce_at(
                bench.nodes(a, b), ME, hash_of(100)
            )


@pytest.mark.parametrize("told", ["-0x5", "0x" + "f" * 64, None])
async def test_a_balance_is_a_quantity_within_bounds(bench: Bench, told: Any) -> None:
    """More than all there is, is no balance."""
    a = await bench.server()
    a.results = {"eth_getBalance": told}
    with pytest.raises(NodeError):
        await accounts.balance(bench.nodes(a), ME)


@pytest.mark.parametrize(
    ("field", "value"),
    [("number", "-0x64"), ("timestamp", "0x" + "f" * 17), ("hash", "0x12"), ("parentHash", None), ("number", "0x6_4")],
)
async def test_a_header_with_nonsense_is_no_head(bench: Bench, field: str, value: Any) -> None:
    """It counts against the node, and the other's is followed."""
    a, b = await bench.server(), await bench.server()
    a.results = {"eth_getBlockByNumber": a.header(100) | {field: value}}
    nodes = bench.nodes(a, b)
    assert await nodes.request("eth_getBlockByNumber", "latest", False) == b.header(100)
    with pytest.raises(NodeError):
        await Blocks(bench.nodes(a), 31337, ME).head()


async def test_a_node_that_answers_too_much_is_not_the_only_one_asked(bench: Bench) -> None:
    """Its oversized answer is its failure; the next node's is taken."""
    a, b = await bench.server(), await bench.server()
    a.results = {"eth_call": "0x" + "00" * 5_000_000}
    nodes = bench.nodes(a, b)
    for _ in range(3):
        await nodes.request("eth_getBlockByNumber", "latest", False)
        assert await nodes.request("eth_call", {}, {"blockHash": a.hash(100)}) == b.call_result


async def test_the_receipt_of_what_is_mined_is_late_and_not_without_logs(bench: Bench) -> None:
    """What it left with a venue is then not known yet; of what may not be mined it is none."""
    a = await bench.server()
    a.results = {"eth_getTransactionReceipt": None}
    assert await accounts.logs_of(bench.nodes(a), HASH) == []
    with pytest.raises(NodeAwayError, match="not there yet"):
        await accounts.logs_of(bench.nodes(a), HASH, is_mined=True)
