"""Paths, routes and prices of Uniswap v3, against known values."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.lending.moves import Route
from keeper.core.lending.quotes import QuoteRequest
from keeper.core.units import Address, Amount, Wei
from keeper.venues.codec.abi import address, load
from keeper.venues.effects import Call, Effect, Sells
from keeper.venues.ports import Answer, Read
from keeper.venues.uniswap_v3 import averages, pools, swaps
from keeper.venues.uniswap_v3.averages import Reference
from keeper.venues.uniswap_v3.effects import router_decoder
from keeper.venues.uniswap_v3.pools import Pool, UniswapDeployment

WETH = address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
USDC = address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
WBTC = address("0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599")
DAI = address("0x6B175474E89094C44Da98b954EedeAC495271d0F")
AT = address("0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640")
WHERE = UniswapDeployment(address("0x" + "0f" * 20), address("0x" + "0a" * 20), address("0x" + "0b" * 20), (500, 3000))

tokens = st.binary(min_size=20, max_size=20).map(address)
routes = st.integers(2, 5).flatmap(
    lambda n: st.builds(
        Route,
        st.lists(tokens, min_size=n, max_size=n).map(tuple),
        st.lists(st.integers(0, 2**24 - 1), min_size=n - 1, max_size=n - 1).map(tuple),
        st.just("uniswap_v3"),
    )
)


ROUTER, OWNER, ABI = WHERE.router, address("0x" + "0e" * 20), load("uniswap_v3_swap_router_02")
FEES = range(2**24)


def sale(path: bytes, fees: Collection[int] = FEES) -> Effect:
    """What the gate is told of a swap by a path."""
    data = ABI.multicall.encode(1, [ABI.exactOutput.encode((path, OWNER, 5, 7))])
    (found,) = router_decoder(ROUTER, fees)(Call(ROUTER, data, Wei(0), ""))
    return found


@given(routes)
def test_a_path_is_read_back_by_its_ends(route: Route) -> None:
    """Any length, any fee of three bytes; what is sold and what is bought."""
    path, (sold, *_, bought) = swaps.path_of(route), route.tokens
    assert sale(path) == Sells(sold, 7, bought, 5, OWNER, ROUTER, 1)


def test_a_pool_of_an_unknown_fee_is_refused() -> None:
    """Only pools that were looked for are swapped through."""
    path = swaps.path_of(Route((WETH, USDC, DAI), (500, 100), "uniswap_v3"))
    assert sale(path, (100, 500))
    with pytest.raises(ValueError, match="a fee of 100"):
        sale(path, WHERE.fee_tiers)


def test_a_path_of_exact_output_begins_with_what_is_bought() -> None:
    """The order that QuoterV2 and the router want."""
    path = swaps.path_of(Route((WETH, USDC, DAI), (500, 100), "uniswap_v3"))
    assert path.hex() == (DAI[2:] + "000064" + USDC[2:] + "0001f4" + WETH[2:]).lower()


@pytest.mark.parametrize("size", [0, 19, 20, 42, 44, 65, 67])
def test_bytes_of_another_length_are_no_path(size: int) -> None:
    """At least two tokens and a fee, and nothing left over."""
    with pytest.raises(ValueError, match="no path"):
        sale(b"\x01" * size)


# --- prices ----------------------------------------------------------------------------------------------------------


def reference(asset: Address, token0: Address, token1: Address, decimals: tuple[int, int]) -> Reference:
    pool = Pool(AT, token0, token1, 500, (1, 1), has_history=True)
    return Reference(pool, asset, pool.other(asset), *decimals)


def answers(average: int, spot: int, window: int = 300) -> list[Answer]:
    observed = encode(["int56[]", "uint160[]"], [[1000, 1000 + average * window], [0, 0]])
    slot = encode(["uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool"], [1, spot, 0, 1, 1, 0, True])
    return [observed, slot]


@pytest.mark.parametrize(
    ("of", "tick", "dollars"),
    [
        # USDC is token0: raw WETH per raw USDC; tick 200311 is 1 / (1.0001^200311 x 10^-12) = 2000.08
        (reference(WETH, USDC, WETH, (18, 6)), 200_311, Decimal("2000.08")),
        # WETH is token0: the mirror of it
        (reference(WETH, WETH, USDC, (18, 6)), -200_311, Decimal("2000.08")),
        # equal decimals at tick 0 are equal worth
        (reference(DAI, DAI, USDC, (18, 18)), 0, Decimal(1)),
        # one basis point a tick
        (reference(DAI, DAI, USDC, (18, 18)), 1, Decimal("1.0001")),
        # an asset of 8 decimals in one of 6: 1.0001^63986 x 100 = 60000
        (reference(WBTC, WBTC, USDC, (8, 6)), 63_973, Decimal(60000)),
    ],
)
def test_a_tick_is_the_price_it_stands_for(of: Reference, tick: int, dollars: Decimal) -> None:
    """1.0001^tick raw token1 per raw token0, in whole tokens, either way round; to a ten-thousandth."""
    found = averages.average_probe(of, 300).decode(answers(tick, tick))(10**8)
    for reading in found.answers:
        assert Decimal(reading) / 10**8 == pytest.approx(dollars, rel=Decimal("0.0002"))


def test_the_average_comes_first_then_the_spot() -> None:
    """Both are readings of the one source, times the quote asset's own price."""
    of = reference(DAI, DAI, USDC, (18, 18))
    found = averages.average_probe(of, 300).decode(answers(-100, 100))(2 * 10**8)
    average, spot = found.answers
    assert average == pytest.approx(2 * 10**8 * 1.0001**-100, rel=1e-7)
    assert spot == pytest.approx(2 * 10**8 * 1.0001**100, rel=1e-7)
    assert found.asset == DAI


def test_an_average_tick_rounds_down_as_the_oracle_library_does() -> None:
    """-1 over 300 seconds is tick -1, not 0."""
    of = reference(DAI, DAI, USDC, (18, 18))
    observed = encode(["int56[]", "uint160[]"], [[0, -1], [0, 0]])
    found = averages.average_probe(of, 300).decode([observed, answers(0, 0)[1]])(10**8)
    assert found.answers[0] < 10**8


@pytest.mark.parametrize("silent", [0, 1])
def test_a_pool_that_does_not_answer_gives_no_reading(silent: int) -> None:
    """A source without readings is a doubt, not an agreement."""
    heard: list[Answer] = answers(0, 0)
    heard[silent] = None
    found = averages.average_probe(reference(DAI, DAI, USDC, (18, 18)), 300).decode(heard)(10**8)
    assert found.answers == ()


# --- pools and routes ------------------------------------------------------------------------------------------------


def pool(a: Address, b: Address, fee: int, depth: int, *, has_history: bool = True) -> Pool:
    first, second = sorted((a, b), key=lambda x: int(x, 16))
    return Pool(AT, first, second, fee, (depth, depth), has_history)


POOLS = [
    pool(WETH, USDC, 500, 50),
    pool(WETH, USDC, 3000, 90),
    pool(WETH, USDC, 10_000, 1),
    pool(WBTC, WETH, 500, 70),
    pool(WETH, DAI, 3000, 10),
]


def test_every_direct_pool_is_a_route() -> None:
    """Whatever its depth: the quotes decide."""
    found = pools.routes("uniswap_v3", POOLS, WETH, USDC, [WETH])
    assert [r.fees for r in found] == [(500,), (3000,), (10_000,)]
    assert all(r.tokens == (WETH, USDC) for r in found)


def test_without_a_direct_pool_the_way_leads_through_the_hub() -> None:
    """By the two deepest pools of each side."""
    found = pools.routes("uniswap_v3", POOLS, WBTC, USDC, [WETH])
    assert {r.fees for r in found} == {(500, 3000), (500, 500)}
    assert all(r.tokens == (WBTC, WETH, USDC) for r in found)


def test_no_pool_is_no_route() -> None:
    """Nothing is made up."""
    assert pools.routes("uniswap_v3", [], WETH, USDC, [WETH]) == ()
    assert pools.routes("uniswap_v3", POOLS, WBTC, USDC, [DAI]) == ()


def test_the_deepest_pool_with_a_memory_is_the_second_opinion() -> None:
    """One that cannot tell an average does not count, however deep."""
    pools = [*POOLS, pool(WETH, USDC, 100, 10**6, has_history=False)]
    found = averages.reference_for(WETH, [USDC], pools, lambda a: 18 if a == WETH else 6)
    assert found
    assert (found.pool.fee, found.quote, found.asset_decimals, found.quote_decimals) == (3000, USDC, 18, 6)
    assert averages.reference_for(WBTC, [USDC], pools, lambda a: 8) is None


def test_pools_are_found_with_their_depth_and_memory() -> None:
    """A pool that is not there, or is empty on one side, is left out."""
    search = pools.discover_pools(WHERE, [USDC, WETH, USDC], 300)
    asked = next(search)
    assert [read.to for read in asked] == [WHERE.factory] * 2, "each pair once, each fee tier"
    one, other = address("0x" + "11" * 20), address("0x" + "22" * 20)
    asked = search.send([encode(["address"], [one]), encode(["address"], [other])])
    assert [read.to for read in asked] == [USDC, WETH, one, USDC, WETH, other]
    word = lambda n: n.to_bytes(32, "big")  # noqa: E731
    with pytest.raises(StopIteration) as done:
        search.send([word(5), word(7), None, word(0), word(7), b"x"])
    assert done.value.value == (Pool(one, USDC, WETH, 500, (5, 7), has_history=False),)


def test_no_address_is_no_pool() -> None:
    """The factory answers zero for a pool that does not exist."""
    search = pools.discover_pools(WHERE, [USDC, WETH], 300)
    next(search)
    asked = search.send([bytes(32), bytes(32)])
    assert asked == ()


def test_a_quote_is_left_out_where_the_route_cannot_serve_it() -> None:
    """Reverted, or for nothing."""
    route = Route((WETH, USDC), (500,), "uniswap_v3")
    asked = [(QuoteRequest(WETH, USDC, Amount(n)), route) for n in (10, 20, 30)]
    probe = swaps.quote_probe(WHERE, asked)
    types = ["uint256", "uint160[]", "uint32[]", "uint256"]
    (quote,) = probe.decode([encode(types, [7, [1], [1], 90_000]), None, encode(types, [0, [], [], 0])])
    assert (quote.sold, quote.bought, quote.gas, quote.route) == (7, 10, 90_000, route)
    first: Read = probe.reads[0]
    assert load("uniswap_v3_quoter_v2").quoteExactOutput.decode_inputs(first.data) == (swaps.path_of(route), 10)
