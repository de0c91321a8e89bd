"""What each of several nodes says is heard: nonces and fees are nobody's word alone."""

from __future__ import annotations

from test_nodes import ACCOUNT, Bench, head_of, two

from keeper.chain import accounts, fee_market
from keeper.core.units import Wei

GWEI = 10**9


def market_of(base: int, tip: int) -> dict[str, object]:
    return {"reward": [[hex(tip)]] * 10, "baseFeePerGas": [hex(base)] * 11}


async def test_each_node_s_count_is_heard(bench: Bench) -> None:
    """One adds 1, or 55: it does not speak for the other."""
    a, b, nodes = await two(bench)
    a.nonce, b.nonce = 7, 62
    assert sorted(await accounts.counts(nodes, ACCOUNT)) == [7, 62]


async def test_a_node_that_does_not_answer_takes_nobody_s_word_away(bench: Bench) -> None:
    """The other's count is what there is."""
    a, b, nodes = await two(bench)
    a.nonce, b.status = 7, 500
    assert await accounts.counts(nodes, ACCOUNT) == [7]


async def test_a_fee_that_one_node_of_two_exaggerates_is_not_paid(bench: Bench) -> None:
    """Neither its tip nor its base fees move the market, or the built-in cap."""
    a, b, nodes = await two(bench)
    a.results["eth_feeHistory"] = market_of(10 * GWEI, GWEI)
    b.results["eth_feeHistory"] = market_of(1_110_001 * GWEI, 1_110_001 * GWEI)
    market = await fee_market.read(nodes, Wei(10 * GWEI))
    assert (market.usual, market.tip, market.most) == (10 * GWEI, GWEI, 100 * GWEI)


async def test_one_node_gets_one_request_for_each(bench: Bench) -> None:
    """Several cost more; one alone not one request more."""
    server = await bench.server()
    nodes = bench.nodes(server)
    await head_of(nodes)
    before = server.asked["eth_getTransactionCount"]
    assert await accounts.counts(nodes, ACCOUNT) == [7]
    assert server.asked["eth_getTransactionCount"] == before + 1
