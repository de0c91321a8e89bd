"""The worst price of a trade, and which side of a gap between market and index may be closed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from perp_strategies import a_leg

from keeper.core.perp.pricing import is_better_than_index, worst_price
from keeper.core.units import BPS, WAD, Bps

prices = st.integers(10**15, 10**24)
slippages = st.integers(0, 1000).map(Bps)


@given(prices, prices, slippages, st.sampled_from((WAD, -WAD)))
def test_the_bound_counts_from_the_better_of_index_and_quote(index: int, quoted: int, slippage: Bps, size: int) -> None:
    """Never looser than from the index alone; a quote that is worse changes nothing."""
    leg = a_leg(index_price=index, mark_price=index)
    from_index, told = worst_price(leg, size, slippage), worst_price(leg, size, slippage, quoted)
    if size > 0:
        assert told == min(from_index, quoted * (BPS + slippage) // BPS)
    else:
        assert told == max(from_index, -(-quoted * (BPS - slippage) // BPS))


def test_a_gap_is_traded_across_on_its_gaining_side_only() -> None:
    """Sold where the market is above the index, bought where it is below."""
    for buys, mark, is_better in ((False, 2300, True), (False, 1700, False), (True, 2300, False), (True, 1700, True)):
        leg = a_leg(mark_price=mark * WAD, index_price=2000 * WAD)
        assert is_better_than_index(leg, buys=buys) is is_better
