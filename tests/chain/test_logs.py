"""Logs over many blocks come whole or not at all, in pages that the node takes."""

import contextlib
from typing import Any

import pytest
from rpc_server import BOTH, Bench, Server, hash_of

from keeper.chain import accounts, patience
from keeper.chain.errors import NodeAwayError, NodeBusyError, NodeError, NodeRefusedError
from keeper.chain.logs import MOST_KEPT, MOST_LOGS, MOST_PAGES, PAGE, SETTLED, LogPages

EMITTER = "0x" + "aa" * 20
WANTED = {"address": EMITTER, "topics": []}
TX = "0x" + "7" * 64


def log(number: int, **changed: Any) -> dict[str, Any]:
    true = {
        "address": EMITTER,
        "topics": ["0x" + "1" * 64],
        "data": "0x",
        "blockNumber": hex(number),
        "blockHash": hash_of(number),
        "transactionHash": TX,
        "logIndex": "0x0",
        "removed": False,
    }
    return true | changed


class Archive(Server):
    """Has logs at some blocks, and refuses more than ``span`` blocks or ``most`` logs at once."""

    def __init__(self, head: int) -> None:
        super().__init__(head)
        self.span, self.most = 10**9, 10**9
        self.says: dict[str, Any] = {"code": -32600, "message": "unheard of words"}
        self.at: list[int] = []
        self.ranges: list[tuple[int, int]] = []

    def answer(self, method: str, params: list[Any]) -> dict[str, Any]:
        if method != "eth_getLogs":
            return super().answer(method, params)
        begin, end = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        self.ranges.append((begin, end))
        found = [log(n) for n in self.at if begin <= n <= end]
        if end - begin + 1 > self.span or len(found) > self.most:
            return {"error": self.says}
        return {"result": found}


async def archive(bench: Bench, monkeypatch: pytest.MonkeyPatch, head: int = 100_000) -> Archive:
    monkeypatch.setattr("rpc_server.Server", Archive)
    server: Any = await bench.server(head)
    return server


REFUSALS = [
    {"code": -32600, "message": "unheard of words"},
    {"code": -32005, "message": "query returned more than 10000 results"},
    {"code": -32602, "message": "eth_getLogs is limited to a 10 block range"},
    {"code": -32614, "message": "eth_getLogs is limited to a 10,000 range"},
    {"code": -32000, "message": "exceed maximum block range: 5000"},
    {"code": -32000, "message": "block range is too wide"},
    {"code": 35, "message": "ranges over 10000 blocks are not supported on freetier"},
    {"code": -32701, "message": "please limit the query to at most 1000 blocks"},
]


@pytest.mark.parametrize("says", REFUSALS, ids=lambda says: str(says["message"])[:30])
async def test_what_is_refused_is_asked_for_in_halves_and_learned(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, says: dict[str, Any]
) -> None:
    """Whatever the words; every log is found, once, and the next range begins with pages the node takes."""
    server = await archive(bench, monkeypatch)
    server.span, server.says, server.at = 700, says, [90_000, 94_999, 95_000, 99_000, 99_999, 100_000]
    pages = LogPages(bench.nodes(server))
    found = await pages.all(90_000, 100_000, WANTED)
    assert [int(each["blockNumber"], 16) for each in found] == server.at
    assert pages.page("n0") <= 700
    refused = [r for r in server.ranges if r[1] - r[0] >= 700]
    server.ranges.clear()
    await pages.all(91_000, 100_000, WANTED)
    assert len(refused) <= 8
    assert all(end - begin < 700 for begin, end in server.ranges)


async def test_too_many_logs_in_a_page_are_asked_for_in_smaller_ones(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the bound is on logs and not on blocks."""
    server = await archive(bench, monkeypatch)
    server.most, server.at = 10, list(range(99_000, 99_100))
    found = await in_turns(LogPages(bench.nodes(server)), 98_000, 100_000, server)
    assert [int(each["blockNumber"], 16) for each in found] == server.at


async def in_turns(pages: LogPages, begin: int, end: int, server: Archive) -> list[dict[str, Any]]:
    for _ in range(10):
        before = len(server.ranges)
        with contextlib.suppress(NodeAwayError):
            return await pages.all(begin, end, WANTED)
        assert len(server.ranges) - before <= MOST_PAGES
    raise AssertionError("it never comes to an end")


async def test_a_range_of_many_pages_goes_on_where_it_came_to(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that grants ten blocks: an error until all is read, never a part of it, and no page twice."""
    server = await archive(bench, monkeypatch)
    server.span, server.at = 10, [98_000, 98_700, 99_990]
    pages = LogPages(bench.nodes(server))
    with pytest.raises(NodeAwayError, match="goes on"):
        await pages.all(98_000, 100_000, WANTED)
    found = await in_turns(pages, 98_000, 100_000, server)
    assert [int(each["blockNumber"], 16) for each in found] == server.at
    granted = [r for r in server.ranges if r[1] - r[0] < 10 and r[1] <= 100_000 - SETTLED]
    assert len(granted) == len(set(granted))
    server.ranges.clear()
    server.head = 100_005
    assert len(await pages.all(98_000, 100_005, WANTED)) == 3
    assert min(begin for begin, _ in server.ranges) > 100_000 - SETTLED


async def test_what_a_reorg_could_reach_is_read_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order executed and taken back by a reorg was not executed."""
    server = await archive(bench, monkeypatch)
    server.at = [99_900, 99_990]
    pages = LogPages(bench.nodes(server))
    assert len(await pages.all(99_000, 100_000, WANTED)) == 2
    server.at = [99_900, 99_995]
    found = await pages.all(99_000, 100_000, WANTED)
    assert [int(each["blockNumber"], 16) for each in found] == [99_900, 99_995]


async def test_a_block_that_is_refused_alone_is_an_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes no more requests than halving does."""
    server = await archive(bench, monkeypatch)
    server.span = 0
    with pytest.raises(NodeError):
        await LogPages(bench.nodes(server)).all(99_000, 100_000, WANTED)
    assert len(server.ranges) < 15


@pytest.mark.slow
async def test_a_busy_node_is_left_alone_and_asked_for_less_then(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some say so of a range that is too long."""
    server = await archive(bench, monkeypatch)
    monkeypatch.setattr(patience, "BUSY_S", 0.5)
    server.span, server.says = 4000, {"code": -32005, "message": "rate limit exceeded"}
    pages = LogPages(bench.nodes(server))
    for _ in range(2):
        with pytest.raises(NodeBusyError):
            await pages.all(90_000, 100_000, WANTED)
    assert await pages.all(90_000, 100_000, WANTED) == []


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        "0x",
        [None],
        [{}],
        [log(99_500, removed=True)],
        [log(98_999)],
        [log(100_001)],
        [log(99_500, address="0x" + "bb" * 20)],
        [log(99_500, blockNumber="-0x5")],
        [log(99_500, data="nonsense")],
        [log(99_500, topics=["0x1"])],
        [log(99_500, transactionHash=None)],
    ],
)
async def test_logs_that_were_not_asked_for_are_that_nodes_failure(bench: Bench, raw: Any) -> None:
    """Another node is asked; alone it is an error, and never an empty answer."""
    a, b = await bench.server(100_000), await bench.server(100_000)
    a.results, b.results = {"eth_getLogs": raw}, {"eth_getLogs": [log(99_500)]}
    assert len(await LogPages(bench.nodes(a, b, roles=(BOTH, BOTH))).all(99_000, 100_000, WANTED)) == 1
    with pytest.raises(NodeAwayError):
        await LogPages(bench.nodes(a)).all(99_000, 100_000, WANTED)


@pytest.mark.slow
async def test_logs_have_a_bound(bench: Bench) -> None:
    """A page of more than ten thousand is asked for in halves; whoever floods a contract is not followed for ever."""
    a = await bench.server(100_000)
    a.results = {"eth_getLogs": [log(99_500)] * (MOST_LOGS + 1)}
    with pytest.raises(NodeError):
        await LogPages(bench.nodes(a)).all(99_000, 99_999, WANTED)
    assert MOST_KEPT < 10 * MOST_LOGS
    assert PAGE * MOST_PAGES > 500_000


async def test_a_range_that_holds_more_than_is_kept_is_not_followed_to_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever floods a contract with logs fills no memory; as many as are kept are still given."""
    monkeypatch.setattr("keeper.chain.logs.MOST_KEPT", 40)
    a = await archive(bench, monkeypatch)
    a.span, a.at = 100, list(range(99_000, 99_040))
    pages = LogPages(bench.nodes(a))
    assert len(await pages.all(99_000, 99_999, WANTED)) == 40
    a.at.append(99_995)
    with pytest.raises(NodeAwayError, match="more than 40 logs"):
        await LogPages(bench.nodes(a)).all(99_000, 99_999, WANTED)


async def test_the_logs_of_a_transaction_are_its_own(bench: Bench) -> None:
    """A receipt of another, or with a log of another, creates no order here."""
    a = await bench.server()
    true = {
        "transactionHash": TX, "status": "0x1", "blockNumber": "0x64", "blockHash": hash_of(100), "gasUsed": "0x1",
        "logs": [log(100)],
    }  # fmt: skip
    nodes = bench.nodes(a)
    a.results = {"eth_getTransactionReceipt": true}
    assert await accounts.logs_of(nodes, TX) == [log(100)]
    for changed in (
        {"transactionHash": "0x" + "8" * 64},
        {"logs": [log(100, transactionHash="0x" + "8" * 64)]},
        {"logs": 5},
    ):
        a.results = {"eth_getTransactionReceipt": true | changed}
        with pytest.raises(NodeAwayError):
            await accounts.logs_of(nodes, TX)
    a.results = {"eth_getTransactionReceipt": None}
    assert await accounts.logs_of(nodes, TX) == []


async def test_invalid_parameters_are_final(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is certainly about the request is not asked for in halves."""
    server = await archive(bench, monkeypatch)
    server.span, server.says = 0, {"code": -32602, "message": "invalid argument 0: hex string without 0x prefix"}
    with pytest.raises(NodeRefusedError):
        await LogPages(bench.nodes(server)).all(99_000, 100_000, WANTED)
    assert len(server.ranges) == 1
