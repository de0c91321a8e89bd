"""Several nodes as one, over real HTTP: who is asked, who is believed, who is left."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from eth_abi import encode
from rpc_server import BOTH, CHAIN, PRIVATE, READ, SEND, Bench, Server, hash_of, head_of

from keeper.chain import accounts
from keeper.chain.blocks import Blocks
from keeper.chain.client import READING
from keeper.chain.errors import (
    ForbiddenMethodError,
    NodeAwayError,
    NodeRefusedError,
    NodesDisagreeError,
    StaleAnswerError,
    WrongChainError,
)
from keeper.chain.heads import LONE_S
from keeper.chain.member import methods_of
from keeper.chain.nodes import Nodes
from keeper.chain.record import ASIDE_S, Aside
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.ports import Read

ACCOUNT = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
MULTICALL = Address("0xcA11bde05977b3631167028862bE2a173976CA11")
REVERT = {"code": 3, "message": "execution reverted", "data": "0x"}


async def call(nodes: Nodes, number: int, branch: str = "a") -> str:
    at = {"blockHash": hash_of(number, branch)}
    return str(await nodes.request("eth_call", {"to": MULTICALL, "data": "0x"}, at))


def ref(number: int, branch: str = "a") -> BlockRef:
    hash_, parent = hash_of(number, branch), hash_of(number - 1)
    return BlockRef(CHAIN, number, hash_, parent, 1_700_000_000 + 12 * number, Wei(1))


async def two(bench: Bench) -> tuple[Server, Server, Nodes]:
    a, b = await bench.server(), await bench.server()
    nodes = bench.nodes(a, b)
    await nodes.check_chains()
    assert await head_of(nodes) == 100
    return a, b, nodes


async def settled(nodes: Nodes) -> None:
    """Ask for heads, and let those answer that are not waited for."""
    await head_of(nodes)
    await asyncio.sleep(0.1)


# --- one node --------------------------------------------------------------------------------------------------------


async def test_one_node_gets_not_one_request_more_than_it_would_alone(bench: Bench) -> None:
    """A quiet block is one head and one call; the chain is asked for when it is met."""
    server = await bench.server()
    nodes = bench.nodes(server)
    assert await nodes.request("eth_chainId") == hex(CHAIN)
    for _ in range(3):
        await head_of(nodes)
        await call(nodes, 100)
    await accounts.nonce(nodes, ACCOUNT, pending=False)
    await accounts.send(nodes, "0x02")
    assert server.asked == {
        "eth_chainId": 1,
        "eth_getBlockByNumber": 3,
        "eth_call": 3,
        "eth_getTransactionCount": 1,
        "eth_sendRawTransaction": 1,
    }


async def test_one_node_that_was_away_is_asked_for_its_chain_again(bench: Bench) -> None:
    """Another node may answer behind the same name now."""
    server = await bench.server()
    nodes = bench.nodes(server)
    await nodes.check_chains()
    server.status = 503
    for _ in range(5):
        with pytest.raises(NodeAwayError, match="HTTP status 503"):
            await head_of(nodes)
    server.status, server.chain_id = 200, 1
    with pytest.raises(WrongChainError, match="chain 1, the network file says 31337"):
        await head_of(nodes)


async def test_one_node_that_goes_back_for_a_minute_is_believed(bench: Bench) -> None:
    """At first it is taken for a stale answer; then it is said loudly, and after that it is the chain."""
    server = await bench.server()
    nodes = bench.nodes(server)
    assert await head_of(nodes) == 100
    server.head = 98
    assert await head_of(nodes) == 100
    bench.clock.ahead += ASIDE_S + 1
    with pytest.raises(NodeAwayError, match="no node has block 100 any more"):
        await head_of(nodes)
    assert await head_of(nodes) == 98


async def test_one_node_decides_about_a_reorg_itself(bench: Bench) -> None:
    """Same number, another hash."""
    server = await bench.server()
    nodes = bench.nodes(server)
    await head_of(nodes)
    server.fork(after=98)
    assert (await nodes.request("eth_getBlockByNumber", "latest", False))["hash"] == hash_of(100, "b")


# --- failover --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, "<html>", '{"jsonrpc":"2.0","id":1,"res', "[]"])
async def test_a_read_the_best_node_does_not_answer_is_asked_of_the_next(bench: Bench, body: str | None) -> None:
    """HTTP errors, what is no JSON, what is cut short: all one failure, and the caller sees none of it."""
    a, b, nodes = await two(bench)
    await call(nodes, 100)
    best, other = (a, b) if a.asked["eth_call"] else (b, a)
    best.status, best.body = (503, None) if body is None else (200, body)
    assert await call(nodes, 100) == "0x01"
    assert other.asked["eth_call"] == 1


async def test_a_refusal_is_an_answer_and_is_not_asked_elsewhere(bench: Bench) -> None:
    """A call that reverts, reverts everywhere."""
    a, b, nodes = await two(bench)
    a.refusals["eth_call"] = b.refusals["eth_call"] = REVERT
    with pytest.raises(NodeRefusedError, match="execution reverted"):
        await call(nodes, 100)
    assert a.asked["eth_call"] + b.asked["eth_call"] == 1


@pytest.mark.parametrize(
    "refusal", [{"code": -32000, "message": "header not found"}, {"code": -32005, "message": "daily limit"}]
)
async def test_a_refusal_that_only_means_not_here_is_asked_elsewhere(bench: Bench, refusal: dict[str, object]) -> None:
    """The node lags, or has had enough of us."""
    a, b, nodes = await two(bench)
    await call(nodes, 100)
    best = a if a.asked["eth_call"] else b
    best.refusals["eth_call"] = refusal
    assert await call(nodes, 100) == "0x01"


async def test_a_node_that_failed_three_times_counts_again_with_its_first_answer(bench: Bench) -> None:
    """It is left, and told of once; it is asked for its head all the same, and its chain checked when it is back."""
    a, b, nodes = await two(bench)
    a.status = 500
    for _ in range(6):
        b.head += 1
        assert await head_of(nodes) == b.head
    assert bench.told == [("n0", Aside.FAILING)]
    await call(nodes, b.head)
    assert a.asked["eth_call"] == 0
    before = a.asked.copy()
    a.status, a.head = 200, b.head
    await settled(nodes)
    assert a.asked["eth_chainId"] == before["eth_chainId"] + 1
    assert [n.state for n in nodes.status()] == ["fine", "fine"]


async def test_when_none_answers_that_is_said(bench: Bench) -> None:
    """And they are asked again at once: a minute without any node would be worse."""
    a, b, nodes = await two(bench)
    a.status = b.status = 500
    for _ in range(5):
        with pytest.raises(NodeAwayError):
            await head_of(nodes)
    a.status = b.status = 200
    assert await head_of(nodes) == 100


async def test_the_chain_is_checked_again_on_a_switch(bench: Bench) -> None:
    """Before the answer of the node switched to is used."""
    a, b, nodes = await two(bench)
    await call(nodes, 100)
    best, other = (a, b) if a.asked["eth_call"] else (b, a)
    best.status, other.chain_id = 500, 5
    with pytest.raises(NodeAwayError):
        await call(nodes, 100)
    assert bench.told == [("n1" if other is b else "n0", Aside.WRONG_CHAIN)]


# --- slow nodes ------------------------------------------------------------------------------------------------------


async def test_the_slowest_is_not_waited_for(bench: Bench) -> None:
    """A head that is there is handed out after a short grace; the late answer still counts for its node."""
    a, _, nodes = await two(bench)
    a.delay_s = 1.0
    begun = asyncio.get_running_loop().time()
    assert await head_of(nodes) == 100
    assert asyncio.get_running_loop().time() - begun < 0.8
    await head_of(nodes)
    assert a.asked["eth_getBlockByNumber"] == 2  # not asked again while it is still busy with the last


@pytest.mark.slow
async def test_a_read_that_takes_long_is_asked_of_the_next_as_well(bench: Bench) -> None:
    """A node that hangs must not cost the whole time limit while a position falls."""
    a, b, nodes = await two(bench)
    await call(nodes, 100)
    best, name = (a, 0) if a.asked["eth_call"] else (b, 1)
    best.delay_s = 30
    begun = asyncio.get_running_loop().time()
    assert await call(nodes, 100) == "0x01"
    assert asyncio.get_running_loop().time() - begun < 3.5
    assert nodes.members[name].record.failures == 1


# --- heads -----------------------------------------------------------------------------------------------------------


async def test_a_lagging_node_is_not_read_from(bench: Bench) -> None:
    """It is asked for its head only, until it is back; no pinned read goes to a node without the block."""
    a, b, nodes = await two(bench)
    b.head = 110
    assert await head_of(nodes) == 110
    assert [n.state for n in nodes.status()] == ["lags 10 blocks", "fine"]
    for _ in range(3):
        await call(nodes, 110)
        await accounts.nonce(nodes, ACCOUNT, pending=False)
    assert (a.asked["eth_call"], a.asked["eth_getTransactionCount"]) == (0, 0)
    a.head = 110
    await head_of(nodes)
    assert [n.state for n in nodes.status()] == ["fine", "fine"]


async def test_heads_never_go_backwards(bench: Bench) -> None:
    """The node that was ahead dies; the other one's lower head is not handed out."""
    a, b, nodes = await two(bench)
    b.head = 102
    assert await head_of(nodes) == 102
    b.status = 500
    for head in (100, 101, 102):
        a.head = head
        assert await head_of(nodes) == 102
    a.head = 103
    assert await head_of(nodes) == 103


async def test_nodes_left_too_far_behind_are_no_nodes(bench: Bench) -> None:
    """Rather none than one that would decide on an hour ago."""
    a, b, nodes = await two(bench)
    b.head = 110
    await head_of(nodes)
    b.status = 500
    for _ in range(2):
        assert await head_of(nodes) == 110
    with pytest.raises(NodeAwayError, match="n0: lags 10 blocks"):
        await head_of(nodes)
    with pytest.raises(NodeAwayError, match="lags 10 blocks"):
        await accounts.nonce(nodes, ACCOUNT, pending=False)
    assert a.asked["eth_getTransactionCount"] == 0


async def test_two_nodes_on_different_histories_are_followed_by_nobody_at_the_start(bench: Bench) -> None:
    """Also where they are far apart: the one ahead is asked about the other's block."""
    a, b = await bench.server(100), await bench.server(120)
    b.fork(after=90)
    nodes = bench.nodes(a, b)
    with pytest.raises(NodesDisagreeError, match="another history"):
        await head_of(nodes)


async def test_a_node_that_leaves_the_history_alone_is_not_followed(bench: Bench) -> None:
    """The watch goes on with the other one; what may be spent is another question."""
    a, b, nodes = await two(bench)
    b.fork(after=98)
    b.head = 101
    assert (await nodes.request("eth_getBlockByNumber", "latest", False))["hash"] == hash_of(100)
    a.head = 101
    assert (await nodes.request("eth_getBlockByNumber", "latest", False))["hash"] == hash_of(101)
    with pytest.raises(NodesDisagreeError, match="block 101"):
        await nodes.agree(ref(101))


async def test_of_three_nodes_the_liar_is_set_aside(bench: Bench) -> None:
    """The two that agree go on, and agree."""
    a, b, c = await bench.server(), await bench.server(), await bench.server()
    nodes = bench.nodes(a, b, c)
    assert await head_of(nodes) == 100
    c.fork(after=99)
    c.head = 103
    assert await head_of(nodes) == 100
    a.head = b.head = 101
    c.head = 104
    assert await head_of(nodes) == 101
    assert bench.told == [("n2", Aside.LYING)]
    await nodes.agree(ref(101))


async def test_a_reorg_that_all_saw_is_followed(bench: Bench) -> None:
    """Downwards as well."""
    a, b, nodes = await two(bench)
    for server in (a, b):
        server.fork(after=97)
        server.head = 99
    assert (await nodes.request("eth_getBlockByNumber", "latest", False))["hash"] == hash_of(99, "b")
    assert await call(nodes, 99, "b") == "0x01"


# --- chains ----------------------------------------------------------------------------------------------------------


async def test_a_node_on_another_chain_is_left_until_it_is_on_ours(bench: Bench) -> None:
    """The other one goes on. Of the foreign one nothing is asked but its chain; nothing is sent to it either."""
    a, b = await bench.server(), await bench.server(10**6)
    b.chain_id = 1
    nodes = bench.nodes(a, b)
    assert await nodes.check_chains() == CHAIN
    assert await head_of(nodes) == 100
    bench.clock.ahead += 10 * ASIDE_S
    assert await head_of(nodes) == 100
    assert (await nodes.send("0x02", public=True)).taken_by == ("n0",)
    assert set(b.asked) == {"eth_chainId"}
    assert bench.told == [("n1", Aside.WRONG_CHAIN)]
    b.chain_id, b.head = CHAIN, 100
    await settled(nodes)
    assert [n.state for n in nodes.status()] == ["fine", "fine"]


async def test_when_no_node_is_left_on_the_chain_that_is_the_error(bench: Bench) -> None:
    """It is not one that passes."""
    a, b = await bench.server(), await bench.server()
    a.chain_id = b.chain_id = 1
    nodes = bench.nodes(a, b)
    for _ in range(2):
        with pytest.raises(WrongChainError, match="chain 1"):
            await nodes.check_chains()
        with pytest.raises(WrongChainError):
            await head_of(nodes)


async def test_a_foreign_node_beside_one_that_is_away_is_no_final_word(bench: Bench) -> None:
    """The daemon waits for the one that may come back."""
    a, b = await bench.server(), await bench.server()
    a.chain_id, b.status = 1, 500
    nodes = bench.nodes(a, b)
    with pytest.raises(NodeAwayError):
        await nodes.check_chains()
    b.status = 200
    assert await nodes.check_chains() == CHAIN


# --- what decides a spend --------------------------------------------------------------------------------------------


async def test_nodes_that_have_the_block_agree_without_being_asked(bench: Bench) -> None:
    """Both named it as their head."""
    a, b, nodes = await two(bench)
    before = a.asked["eth_getBlockByNumber"] + b.asked["eth_getBlockByNumber"]
    await nodes.agree(ref(100))
    assert a.asked["eth_getBlockByNumber"] + b.asked["eth_getBlockByNumber"] == before


async def test_a_node_that_does_not_have_the_block_yet_does_not_disagree(bench: Bench) -> None:
    """A rescue does not wait for the slowest."""
    _, b, nodes = await two(bench)
    b.head = 101
    await head_of(nodes)
    await nodes.agree(ref(101))


async def test_an_answer_that_a_second_node_gives_too_is_confirmed(bench: Bench) -> None:
    """And one it gives otherwise is not: of two, neither is set aside."""
    _, b, nodes = await two(bench)
    assert await nodes.confirm(ref(100), MULTICALL, "0x", "0x01")
    b.call_result = "0x02"
    assert not await nodes.confirm(ref(100), MULTICALL, "0x", "0x01")
    assert bench.told == []


async def test_of_three_the_one_that_answers_otherwise_holds_up_one_block_only(bench: Bench) -> None:
    """Then it is set aside."""
    a, b, c = await bench.server(), await bench.server(), await bench.server()
    nodes = bench.nodes(a, b, c)
    await head_of(nodes)
    c.call_result = "0x02"
    assert not await nodes.confirm(ref(100), MULTICALL, "0x", "0x01")
    assert bench.told == [("n2", Aside.LYING)]
    assert await nodes.confirm(ref(100), MULTICALL, "0x", "0x01")


async def test_a_node_alone_confirms_itself_without_a_request(bench: Bench) -> None:
    """There is nobody else."""
    server = await bench.server()
    nodes = bench.nodes(server)
    await head_of(nodes)
    before = server.asked.copy()
    await nodes.agree(ref(100))
    assert await nodes.confirm(ref(100), MULTICALL, "0x", "0x01")
    assert server.asked == before


async def test_an_answer_from_another_block_is_a_failure_and_three_set_their_node_aside(bench: Bench) -> None:
    """An hour-old state comes with an hour-old time: the proof in each call tells, and the next node is asked."""
    a, b, nodes = await two(bench)
    old, now = (_multicall(1_700_000_000 + 12 * n) for n in (0, 100))
    a.call_result, b.call_result = old, now
    read, blocks = Read(MULTICALL, b""), Blocks(nodes, CHAIN, MULTICALL)
    for times in range(3):
        assert bench.told == []
        assert nodes.members[0].record.stale == times
        nodes.members[0].record = replace(nodes.members[0].record, failures=0, error_rate=0.0, latency_s=0.01)
        nodes.members[1].record = nodes.members[1].record.answered(60)  # so that the other one is preferred
        assert await blocks.answers(ref(100), [read]) == [(5).to_bytes(32, "big")]
    assert bench.told == [("n0", Aside.LYING)]


# --- never blind -----------------------------------------------------------------------------------------------------


async def test_two_nodes_that_were_stale_once_each_do_not_blind_the_keeper(bench: Bench) -> None:
    """Each gives one answer from another block and is honest afterwards: the next block is judged."""
    a, b, nodes = await two(bench)
    read, blocks = Read(MULTICALL, b""), Blocks(nodes, CHAIN, MULTICALL)
    a.call_result = b.call_result = _multicall(1_700_000_000)
    with pytest.raises(StaleAnswerError):
        await blocks.answers(ref(100), [read])
    a.head = b.head = 101
    a.call_result = b.call_result = _multicall(1_700_000_000 + 12 * 101)
    assert (await blocks.head()).number == 101
    assert await blocks.answers(ref(101), [read]) == [(5).to_bytes(32, "big")]
    assert bench.told == []


async def test_when_all_nodes_are_set_aside_those_that_answer_are_used_and_the_owner_hears_of_it(bench: Bench) -> None:
    """One lied, and then the other died: better a doubtful node than none."""
    a, b, nodes = await two(bench)
    for member in nodes.members:
        member.leave(Aside.LYING, "it was")
    a.head = b.head = 101
    assert await head_of(nodes) == 101
    assert await call(nodes, 101) == "0x01"
    assert [key for key, _, _ in bench.warned] == ["node:last"]
    b.status = 500
    a.head = 102
    for _ in range(4):
        assert await head_of(nodes) == 102


async def test_a_head_that_time_does_not_allow_is_not_handed_out(bench: Bench) -> None:
    """The node that names it is set aside for a minute; the other one is followed on."""
    a, b, nodes = await two(bench)
    a.head, b.head = 10**6, 101
    assert await head_of(nodes) == 101
    assert bench.told == [("n0", Aside.LYING)]
    a.head = b.head = 102
    assert await head_of(nodes) == 102


async def test_a_node_alone_that_names_an_impossible_head_is_believed_only_when_it_insists(bench: Bench) -> None:
    """For a moment it is a wrong answer; after a quarter of a minute there is nobody to say otherwise."""
    server = await bench.server()
    nodes = bench.nodes(server)
    await head_of(nodes)
    server.head = 10**6
    assert await head_of(nodes) == 100
    server.head = 101
    assert await head_of(nodes) == 101
    server.head = 10**6
    assert await head_of(nodes) == 101
    bench.clock.ahead += LONE_S
    assert await head_of(nodes) == 10**6
    assert [key for key, _, _ in bench.warned] == ["node:far"]


async def test_an_invented_head_that_was_followed_is_left_for_a_chain_that_moves_on(bench: Bench) -> None:
    """From the start nobody could know: after a minute the one that stands still is set aside."""
    a, b = await bench.server(100), await bench.server(10**6)
    nodes = bench.nodes(a, b)
    assert await head_of(nodes) == 10**6
    for number in range(101, 107):
        a.head = number
        bench.clock.ahead += 12
        found = await head_of(nodes)
    assert found == 106
    assert bench.told == [("n1", Aside.LYING)]


# --- nonces ----------------------------------------------------------------------------------------------------------


async def test_the_highest_nonce_wins(bench: Bench) -> None:
    """A node that lags must not move it back."""
    a, b, nodes = await two(bench)
    a.nonce, b.nonce = 5, 9
    for _ in range(4):
        assert await accounts.nonce(nodes, ACCOUNT, pending=False) == 9


# --- sending ---------------------------------------------------------------------------------------------------------


async def test_a_transaction_goes_to_all_nodes_that_send(bench: Bench) -> None:
    """Those that only read are not told; one that refuses or is away does not matter while another takes it."""
    a, b, c, d = [await bench.server() for _ in range(4)]
    nodes = bench.nodes(a, b, c, d, roles=(BOTH, READ, SEND, SEND))
    await nodes.check_chains()
    c.refusals["eth_sendRawTransaction"] = {"code": -32000, "message": "nonce too low"}
    d.status = 500
    sent = await nodes.send("0x02", public=True)
    assert sent.taken_by == ("n0",)
    assert {error.node for error in sent.failed} == {"n2", "n3"}
    assert (a.taken, b.asked["eth_sendRawTransaction"]) == (["0x02"], 0)


async def test_bytes_a_node_has_already_are_taken(bench: Bench) -> None:
    """They are where they should be."""
    a, b, nodes = await two(bench)
    for server in (a, b):
        server.refusals["eth_sendRawTransaction"] = {"code": -32000, "message": "already known"}
    assert (await nodes.send("0x02", public=True)).taken_by == ("n0", "n1")


async def test_when_none_takes_it_the_refusal_is_what_is_raised(bench: Bench) -> None:
    """It says more than a silence."""
    a, b, nodes = await two(bench)
    a.status = 500
    b.refusals["eth_sendRawTransaction"] = {"code": -32000, "message": "insufficient funds"}
    sent = await nodes.send("0x02", public=True)
    assert not sent.is_taken
    with pytest.raises(NodeRefusedError, match="insufficient funds"):
        sent.raise_unless_taken()
    with pytest.raises(NodeRefusedError, match="insufficient funds"):
        await accounts.send(nodes, "0x02")


async def test_a_node_that_lags_or_was_left_is_told_of_a_transaction_too(bench: Bench) -> None:
    """It may not be fit to read from, and still relay."""
    a, b, nodes = await two(bench)
    b.head = 110
    await head_of(nodes)
    await nodes.send("0x02", public=True)
    assert a.taken == ["0x02"]


@pytest.mark.slow
async def test_a_send_that_hangs_does_not_hold_up_one_that_is_taken(bench: Bench) -> None:
    """It goes on in the background."""
    a, _, nodes = await two(bench)
    a.delay_s = 1.0
    sent = await nodes.send("0x02", public=True)
    assert (sent.taken_by, sent.unanswered) == (("n1",), ("n0",))
    await asyncio.sleep(1.2)
    assert a.taken == ["0x02"]


async def test_private_relays_come_first_then_everybody(bench: Bench) -> None:
    """Each by its own method; in public the relays are told again."""
    a, relay = await bench.server(), await bench.server()
    relay.refusals["eth_chainId"] = {"code": -32601, "message": "method not found"}
    nodes = bench.nodes(a, relay, roles=(BOTH, PRIVATE))
    sent = await nodes.send("0x02", public=False)
    assert (sent.taken_by, sent.is_public) == (("n1",), False)
    assert (a.taken, relay.taken) == ([], [{"tx": "0x02"}])
    sent = await nodes.send("0x02", public=True)
    assert (set(sent.taken_by), sent.is_public) == ({"n0", "n1"}, True)
    assert a.taken == ["0x02"]
    await accounts.send(nodes, "0x03")
    assert a.taken == ["0x02"]  # by default what can be private is


async def test_without_a_private_relay_everything_is_public(bench: Bench) -> None:
    """There is no other way."""
    a, b, nodes = await two(bench)
    assert (await nodes.send("0x02", public=False)).is_public
    assert a.taken == b.taken == ["0x02"]


async def test_in_dry_run_no_connection_may_send(bench: Bench) -> None:
    """Not by the list of what each may do, and not by asking all of them: nothing leaves."""
    a, b = await bench.server(), await bench.server()
    nodes = bench.nodes(a, b, live=False)
    assert not any(member.may_send for member in nodes.members)
    assert methods_of(BOTH, "eth_sendRawTransaction", is_live=False) == READING
    with pytest.raises(ForbiddenMethodError):
        await nodes.send("0x02", public=True)
    with pytest.raises(ForbiddenMethodError):
        await nodes.request("eth_sendRawTransaction", "0x02")
    with pytest.raises(ForbiddenMethodError):
        await bench.nodes(a, b, roles=(READ, READ)).send("0x02", public=True)
    assert a.taken == b.taken == []


def _multicall(timestamp: int) -> str:
    """Return what aggregate3 returns for the two proofs and one read."""
    words = [encode(["uint256"], [number]) for number in (timestamp, CHAIN, 5)]
    return "0x" + encode(["(bool,bytes)[]"], [[(True, word) for word in words]]).hex()


async def test_a_block_earlier_than_the_one_before_it_is_no_answer(bench: Bench) -> None:
    """Time never goes back as blocks go on. It costs the node that block, and none after it: never blind."""
    server = await bench.server()
    nodes = bench.nodes(server)
    assert await head_of(nodes) == 100
    server.head = 101
    server.results = {"eth_getBlockByNumber": server.header(101) | {"timestamp": hex(2)}}
    with pytest.raises(NodeAwayError, match="earlier than block 100"):
        await head_of(nodes)
    server.results, server.head = {}, 102
    assert await head_of(nodes) == 102
    server.results = {"eth_getBlockByNumber": server.header(103) | {"timestamp": hex(2**40)}}
    assert await head_of(nodes) == 103
    server.results, server.head = {}, 104
    with pytest.raises(NodeAwayError, match="earlier"):
        await head_of(nodes)
    assert await head_of(nodes) == 104
