"""What nodes mean by their errors, in the words and codes of real clients and providers."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from rpc_server import Bench, hash_of, head_of

from keeper.chain import fee_market
from keeper.chain.blocks import Blocks
from keeper.chain.errors import (
    BlockMissingError,
    MethodMissingError,
    NodeAwayError,
    NodeBusyError,
    NodeError,
    NodeRefusedError,
    TooBigError,
)
from keeper.chain.refusals import refusal, wait_in
from keeper.chain.simulation import SimulationUnsupportedError, simulate
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.contracts import multicall3
from keeper.venues.ports import Read

HASH = "0x" + "ab" * 32
REVERT = "0x08c379a0" + "00" * 64
WHO = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")

# (client, code, message, data)
NO_BLOCK: list[tuple[str, int, str, Any]] = [
    ("geth", -32000, "header not found", None),
    ("geth", -32000, "header for hash not found", None),
    ("geth", -32000, "hash is not currently canonical", None),
    ("geth", -32000, "unknown block", None),
    ("geth", -32000, f"missing trie node {'ab' * 32} (path ) state 0x{'cd' * 32} is not available", None),
    ("geth", -32000, "required historical state unavailable (reexec=128)", None),
    ("geth", -32000, "historical state not available in path scheme yet", None),
    ("geth", -32602, "block range extends beyond current head block", None),
    ("erigon", -32000, f"hash {HASH[2:]} is not currently canonical", None),
    ("erigon", -32000, "block not found: 21000000", None),
    ("erigon", -32000, f"could not find block {HASH}", None),
    ("nethermind", -32001, f"{HASH} could not be found", None),
    ("nethermind", -32002, "No state available for block 21000000 (0xabc)", None),
    ("nethermind", -32603, "Internal error", "Nethermind.Trie.MissingTrieNodeException: Node A is missing from the DB"),
    ("besu", -32000, "Block not found", None),
    ("besu", -32000, "World state unavailable", None),
    ("reth", -32001, f"block not found: hash {HASH}", None),
    ("reth", -32000, "no state found for block number 21000000", None),
    ("anvil", -32602, "BlockOutOfRangeError: block height is 5 but requested was 7", None),
    ("anvil", -32001, "Block not found", None),
    ("hardhat", -32000, "Received invalid block tag 20. Latest block number is 13", None),
    ("avalanche", -32000, "requested block 9 after last accepted block 8", None),
    ("avalanche", -32000, "cannot query unfinalized data", None),
    ("proxyd", -32019, "block is out of range", None),
]
BUSY: list[tuple[str, int, str, Any]] = [
    ("alchemy", 429, "Your app has exceeded its compute units per second capacity.", None),
    ("alchemy", 429, "Monthly capacity limit exceeded. Visit https://dashboard.example to upgrade", None),
    ("infura", -32005, "project ID request rate exceeded", {"rate": {"backoff_seconds": 30, "allowed_rps": 1}}),
    ("infura", -32005, "daily request count exceeded, request rate limited", {"see": "https://docs.example"}),
    ("quicknode", -32007, "50/second request limit reached - reduce calls per second or upgrade your account", None),
    ("quicknode", -32003, "daily request limit reached - upgrade your account", None),
    ("drpc", 15, "Too many requests", None),
    ("chainstack", -32005, "You've exceeded the RPS limit available on the current plan.", None),
    ("ankr", -32000, "Too many requests, reason: call rate limit exhausted, retry in 10s", None),
    ("proxyd", -32016, "over rate limit", None),
    ("proxyd", -32012, "backend is over capacity", None),
    ("blast", -32029, "capacity exceeded", None),
    ("blockvision", -32605, "Rate Limit", None),
    ("nethermind", -32005, "Too many requests", None),
    ("an unknown one", -32005, "Limit exceeded", None),
]
TOO_BIG: list[tuple[str, int, str, Any]] = [
    ("infura", -32005, "query returned more than 10000 results. Try with this block range [0x1, 0x2].", None),
    ("alchemy", -32602, "Log response size exceeded. You can make requests with up to a 2K block range", None),
    ("reth", -32602, "query exceeds max results 20000, retry with the range 1-2", None),
    ("reth", -32602, "query exceeds max block range 100000", None),
    ("geth", -32003, "response too large", None),
    ("quicknode", -32614, "eth_getLogs is limited to a 10,000 range", None),
    ("besu", -32005, "Requested range exceeds maximum RPC range limit", None),
    ("drpc", 35, "ranges over 10000 blocks are not supported on freetier", None),
    ("ankr", -32062, "block range is too wide", None),
    ("proxyd", -32021, "request body too large", None),
]
NO_METHOD: list[tuple[str, int, str, Any]] = [
    ("geth", -32601, "the method eth_simulateV1 does not exist/is not available", None),
    ("geth", -32601, "the method eth_getBlockByNumberV9 does not exist/is not available", None),
    ("besu", -32604, "Method not enabled", None),
    ("proxyd", -32001, "rpc method is not whitelisted", None),
    ("reth", -32601, "Method not found", None),
    ("alchemy", -32600, "Unsupported method: eth_simulateV1 on ETH_MAINNET.", None),
    ("a provider", -32000, "method eth_simulateV1 is not available on your plan", None),
]
FINAL: list[tuple[str, int, str, Any]] = [
    ("geth", 3, "execution reverted: no", REVERT),
    ("geth", 3, "execution reverted", "0x"),
    ("erigon", 3, "execution reverted", "0x1425ea42"),
    ("nethermind", -32015, "VM execution error.", f"Reverted {REVERT}"),
    ("nethermind", 3, "execution reverted: rate limit", REVERT),
    ("besu", -32000, "Execution reverted", REVERT),
    ("anvil", 3, "execution reverted: header not found", REVERT),
    ("hardhat", -32603, "Error: reverted with reason string 'no'", {"message": "reverted", "data": REVERT}),
    ("geth", -32602, "missing value for required argument 0", None),
    ("geth", -32602, "invalid argument 0: json: cannot unmarshal hex string without 0x prefix", None),
    ("reth", -32602, "invalid type: integer `5`, expected a string", None),
    ("besu", -32602, "Invalid params", None),
    ("geth", -38014, "insufficient funds for gas * price + value", None),
]
ELSEWHERE: list[tuple[str, int, str, Any]] = [
    ("geth", -32000, "execution reverted", None),
    ("geth", -32603, "method handler crashed", None),
    ("geth", -32002, "request timed out", None),
    ("erigon", -32000, "open cold storage: no such file", None),
    ("erigon", -32000, "old data not available due to pruning", None),
    ("besu", -32603, "Internal error", None),
    ("nethermind", -32016, "eth_call request was canceled due to enabled timeout.", None),
    ("alchemy", -32000, "Unable to complete request at this time.", None),
    ("alchemy", -32600, "Must be authenticated!", None),
    ("infura", -32002, "invalid project id", None),
    ("drpc", 19, "Temporary internal error. Please retry, trace-id: 5f", None),
    ("drpc", 12, "Can't route your request to suitable provider", None),
    ("proxyd", -32011, "no backends available for method", None),
    ("cloudflare", -32046, "Cannot fulfill request", None),
    ("publicnode", -32701, "Please specify an address in your request", None),
    ("nobody knows", 7, "purple", None),
    ("one that says nothing", 0, "", None),
]


def read(code: int, message: str, data: Any) -> Exception:
    return refusal("n", "eth_call", {"code": code, "message": message, "data": data})


@pytest.mark.parametrize(("client", "code", "message", "data"), NO_BLOCK)
def test_that_the_block_is_not_there_yet_is_known_in_every_clients_words(
    client: str, code: int, message: str, data: Any
) -> None:
    """It may come, and another node may have it: the node is not blamed."""
    assert type(read(code, message, data)) is BlockMissingError, client


@pytest.mark.parametrize(("client", "code", "message", "data"), BUSY)
def test_that_a_node_has_had_enough_is_known_in_every_providers_words(
    client: str, code: int, message: str, data: Any
) -> None:
    """It says nothing about the call."""
    assert type(read(code, message, data)) is NodeBusyError, client


@pytest.mark.parametrize(("client", "code", "message", "data"), TOO_BIG)
def test_that_less_at_a_time_may_go_is_known(client: str, code: int, message: str, data: Any) -> None:
    """Also where the code says "limit exceeded" or "invalid params"."""
    assert type(read(code, message, data)) is TooBigError, client


@pytest.mark.parametrize(("client", "code", "message", "data"), NO_METHOD)
def test_that_a_method_is_not_there_is_known(client: str, code: int, message: str, data: Any) -> None:
    """Another node may have it."""
    found = read(code, message, data)
    assert type(found) is MethodMissingError, client
    assert not found.is_final


@pytest.mark.parametrize(("client", "code", "message", "data"), FINAL)
def test_what_is_certainly_about_the_call_is_final(client: str, code: int, message: str, data: Any) -> None:
    """A revert with its data, whatever words a contract puts into it; parameters that make no sense."""
    found = read(code, message, data)
    assert isinstance(found, NodeRefusedError), client
    assert found.is_final, client


@pytest.mark.parametrize(("client", "code", "message", "data"), ELSEWHERE)
def test_every_other_error_of_a_read_is_worth_asking_elsewhere(client: str, code: int, message: str, data: Any) -> None:
    """By default, and not by its words."""
    found = read(code, message, data)
    assert type(found) is NodeRefusedError, client
    assert not found.is_final, client


def test_a_refused_send_is_a_refusal_whatever_its_words() -> None:
    """It says what is wrong with the bytes; only that the node has had enough is something else."""
    for code, message in (
        (-32000, "nonce too low: header not found"),
        (-32005, "Transaction gas limit exceeds block gas limit"),
        (-32000, "txpool is full"),
        (-32003, "insufficient funds for gas * price + value"),
    ):
        found = refusal("n", "eth_sendRawTransaction", {"code": code, "message": message})
        assert type(found) is NodeRefusedError, message
    for code, message in ((429, "no"), (-32005, "limit exceeded"), (-32017, "sender is over rate limit")):
        assert type(refusal("n", "eth_sendRawTransaction", {"code": code, "message": message})) is NodeBusyError


@pytest.mark.parametrize(
    ("text", "data", "seconds"),
    [
        ("Too many requests, reason: call rate limit exhausted, retry in 10s", None, 10),
        ("Too Many Requests, IP: ::ffff:127.0.0.1, please wait 23s and retry.", None, 23),
        ("rate limited, try again in 250 ms", None, 0.25),
        ("retry after 2 minutes", None, 120),
        ("project ID request rate exceeded", {"rate": {"backoff_seconds": 30.5}}, 30.5),
        ("rate limit", {"rate": {"backoff_seconds": "soon"}}, None),
        ("rate limit", None, None),
    ],
)
def test_how_long_a_node_wants_us_to_wait(text: str, data: Any, seconds: float | None) -> None:
    """By its words or its data, where it says so."""
    assert wait_in(text, data) == seconds


# --- on the real path ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "code", "message", "data"),
    [*NO_BLOCK, *BUSY, *TOO_BIG, *NO_METHOD, *ELSEWHERE],
    ids=lambda v: str(v)[:30],
)
async def test_a_read_one_node_refuses_is_asked_of_the_other(
    bench: Bench, client: str, code: int, message: str, data: Any
) -> None:
    """The caller sees none of it, whatever the words."""
    a, b = await bench.server(), await bench.server()
    nodes = bench.nodes(a, b)
    await nodes.check_chains()
    await head_of(nodes)
    await nodes.request("eth_call", {}, {"blockHash": hash_of(100)})
    best = a if a.asked["eth_call"] else b
    best.refusals["eth_call"] = {"code": code, "message": message, "data": data}
    assert await nodes.request("eth_call", {}, {"blockHash": hash_of(100)}) == "0x01", client


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 502, 503])
async def test_a_json_rpc_error_inside_an_http_error_decides(bench: Bench, status: int) -> None:
    """Who does not simulate, or knows no fee history, is not away: a fork simulates, the least tip is paid."""
    server = await bench.server()
    nodes = bench.nodes(server)
    await head_of(nodes)
    server.status_of = {"eth_simulateV1": status, "eth_feeHistory": status}
    refused = {"code": -32601, "message": "the method is not available"}
    server.refusals |= {method: refused for method in server.status_of}  # noqa: C420 - nobody changes it
    block = BlockRef(31337, 100, hash_of(100), hash_of(99), 1_700_001_200, Wei(1))
    with pytest.raises(SimulationUnsupportedError, match="not available"):
        await simulate(nodes, block, WHO, [], [], multicall3.ADDRESS)
    assert (await fee_market.read(nodes, Wei(1))).tip > 0
    assert nodes.members[0].record.failures == 0


async def test_a_header_that_is_not_found_inside_an_http_error_is_a_missing_block(bench: Bench) -> None:
    """The same words mean the same, whatever is around them."""
    server = await bench.server()
    node = bench.nodes(server).members[0].node
    server.status_of, server.refusals = {"eth_call": 400}, {"eth_call": {"code": -32000, "message": "header not found"}}
    with pytest.raises(BlockMissingError):
        await node.request("eth_call", {}, "latest")


@pytest.mark.parametrize("body", ["", "<html>", '{"error":"Forbidden"}', '{"message":"no"}', "[]", "null"])
async def test_an_http_error_without_json_rpc_in_it_is_an_outage(bench: Bench, body: str) -> None:
    """There is nothing that could decide."""
    server = await bench.server()
    server.status, server.body = 403, body
    with pytest.raises(NodeAwayError, match="HTTP status 403"):
        await bench.nodes(server).members[0].node.request("eth_blockNumber")


async def test_an_answer_inside_an_http_error_is_an_answer(bench: Bench) -> None:
    """The body decides, also where it says yes."""
    server = await bench.server()
    server.status_of = {"eth_chainId": 500}
    assert await bench.nodes(server).members[0].node.request("eth_chainId") == hex(31337)


async def test_a_call_that_is_too_much_for_one_node_is_split_only_when_it_is_for_all(bench: Bench) -> None:
    """The other one may grant more."""
    a, b = await bench.server(), await bench.server()
    nodes = bench.nodes(a, b)
    await head_of(nodes)
    a.refusals["eth_call"] = {"code": -32603, "message": "Internal error"}
    b.refusals["eth_call"] = {"code": -32000, "message": "out of gas"}
    with pytest.raises(NodeRefusedError, match="out of gas"):
        await nodes.request("eth_call", {}, {"blockHash": hash_of(100)})
    a.refusals.clear()
    assert await nodes.request("eth_call", {}, {"blockHash": hash_of(100)}) == "0x01"


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32000, "message": "header for hash not found", "data": HASH},
        {"code": -32000, "message": "header not found", "data": HASH},
        {"code": -39001, "message": "Unknown block", "data": HASH},
        {"code": -32000, "message": "state 0xabc is not available", "data": HASH},
        {"code": -32602, "message": "invalid params", "data": {"reason": "unknown block"}},
        {"code": -32602, "message": "Invalid params", "data": f"Block {HASH} could not be resolved"},
        {"code": -32000, "message": "trie node not found"},
        {"code": -32000, "message": "layer stale"},
        {"code": -32000, "message": "block 0x12 is ahead of the tip"},
        {"code": -32001, "message": "Incorrect head block"},
    ],
    ids=lambda error: error["message"],
)
def test_a_block_that_a_node_lacks_is_no_verdict_on_the_call_wherever_it_says_so(error: dict[str, Any]) -> None:
    """Some put the block's hash where others put the bytes of a revert."""
    assert isinstance(refusal("a", "eth_call", error), BlockMissingError)


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        ({"code": -32000, "message": "something went wrong", "data": HASH}, False),
        ({"code": -32000, "message": "something went wrong", "data": "0x1234"}, False),
        ({"code": -32000, "message": "VM execution error.", "data": "0x08c379a0" + "00" * 64}, True),
        ({"code": -32000, "message": "execution reverted", "data": "0x1234567890"}, True),
        ({"code": -32000, "message": "execution failed", "data": "0x12345678"}, True),
        ({"code": 3, "message": "execution reverted: header not found", "data": "0x"}, True),
    ],
)
def test_only_bytes_of_a_revert_are_a_revert(error: dict[str, Any], is_final: bool) -> None:
    """A selector and whole words, or the word itself beside them; what a contract says of blocks is its own."""
    found = refusal("a", "eth_call", error)
    assert isinstance(found, NodeRefusedError)
    assert found.is_final is is_final


@pytest.mark.parametrize(
    ("code", "kind"), [("-32601", MethodMissingError), ("429", NodeBusyError), ("-32005", NodeBusyError)]
)
def test_a_code_written_as_text_is_that_code(code: str, kind: type[NodeError]) -> None:
    """Some proxies quote it."""
    assert isinstance(refusal("a", "eth_call", {"code": code, "message": "no"}), kind)


async def test_a_multicall_that_one_node_says_reverts_is_asked_of_the_other(bench: Bench) -> None:
    """It lets every read fail, so it reverts nowhere: one node that says so of every block would blind the keeper."""
    a, b = await bench.server(), await bench.server()
    nodes = bench.nodes(a, b)
    blocks = Blocks(nodes, 31337, multicall3.ADDRESS)
    head, reads = await blocks.head(), (Read(WHO, b"\x01"),)
    answer = multicall3_answer(head)
    a.results["eth_call"] = b.results["eth_call"] = answer
    await blocks.answers(head, reads)
    liar, other = (a, b) if a.asked["eth_call"] else (b, a)
    del liar.results["eth_call"]
    liar.refusals["eth_call"] = {"code": 3, "message": "execution reverted", "data": REVERT}
    for _ in range(4):
        assert await blocks.answers(head, reads) == [b"\x07"]
    assert other.asked["eth_call"] >= 4
    assert any(m.record.failures or m.record.aside for m in nodes.members)
    other.status, other.body = 503, ""
    with pytest.raises(NodeError):
        await blocks.answers(head, reads)


def multicall3_answer(head: BlockRef) -> str:
    """What Multicall3 returns to one read: the block's time, the chain, and a byte."""
    results = [(True, head.timestamp.to_bytes(32)), (True, head.chain_id.to_bytes(32)), (True, b"\x07")]
    return "0x" + encode(["(bool,bytes)[]"], [results]).hex()
