"""What a perpetual position is worth and what it takes to keep it: rules that hold for every position."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from perp_strategies import a_leg, a_position, amounts, cross, positions

from keeper.core.perp import margin as perps
from keeper.core.perp.margin import TradeCost
from keeper.core.perp.position import FACTOR, MarginBasis, PerpPosition
from keeper.core.units import INFINITE, WAD, Wad, mul_div_up

RATIOS = st.integers(WAD // 100, 3 * WAD).map(Wad)
COSTS = st.integers(0, FACTOR // 20).map(TradeCost)


def with_margin(position: PerpPosition, dollars: int) -> PerpPosition:
    return replace(position, margin=position.margin + dollars)


# --- what it is worth ------------------------------------------------------------------------------------------------


def test_a_position_worked_out_by_hand() -> None:
    """Long 3 ETH from 2,000 with 1,000 dollars, at 1,900, owing 10 of funding."""
    position = a_position(a_leg(mark_price=1900 * WAD, funding_owed=10 * WAD))
    assert perps.unrealized_pnl(position.legs[0]) == -300 * WAD
    assert perps.equity(position) == 690 * WAD
    assert perps.requirement(position) == 5700 * WAD * 625 // 10_000
    assert perps.margin_ratio(position) == 690 * WAD * WAD // (5700 * WAD)
    assert perps.leverage(position) == mul_div_up(5700 * WAD, WAD, 690 * WAD)
    assert perps.entry_price(position.legs[0]) == 2000 * WAD
    assert perps.delta(position) == {"ETH": 3 * WAD}


def test_what_one_side_gains_the_other_loses() -> None:
    """The same trade from both sides sums to nothing at any price."""
    for price in (1, 1999 * WAD, 2000 * WAD, 2001 * WAD + 1):
        long, short = a_leg(mark_price=price), a_leg(size=-3 * WAD, mark_price=price)
        assert perps.unrealized_pnl(long) + perps.unrealized_pnl(short) == 0


@given(positions())
def test_ratio_and_leverage_are_rounded_against_us(position: PerpPosition) -> None:
    """No ratio is told higher than it is, no leverage lower."""
    whole, own = perps.basis(position), perps.equity(position)
    ratio, leverage = perps.margin_ratio(position), perps.leverage(position)
    assume(whole)
    assert ratio * whole <= max(0, own) * WAD < (ratio + 1) * whole
    assert leverage == INFINITE if own <= 0 else (leverage - 1) * own < whole * WAD <= leverage * own


@given(cross())
def test_worth_is_counted_in_the_venues_own_steps(position: PerpPosition) -> None:
    """Rounded down, also below zero: an account is never told to be worth a part of a unit more."""
    worth = position.margin + sum(perps.unrealized_pnl(leg) - perps.owed(leg) for leg in position.legs)
    assert perps.equity(position) % position.equity_step == 0
    assert perps.equity(position) <= worth < perps.equity(position) + position.equity_step


def test_without_a_size_nothing_is_required() -> None:
    """Margin alone is never liquidated and has no leverage."""
    position = a_position(a_leg(size=0, entry_notional=0))
    assert perps.requirement(position) == 0
    assert perps.margin_ratio(position) == INFINITE
    assert perps.leverage(position) == 0
    assert not perps.is_liquidatable(replace(position, margin=-WAD))
    assert perps.liquidation_price(position, "ETH") is None


def test_a_worth_of_nothing_is_liquidated() -> None:
    """Bankrupt is bankrupt: ratio zero, leverage without end, the liquidation price is here."""
    position = a_position(margin=-5 * WAD)
    assert perps.margin_ratio(position) == 0
    assert perps.leverage(position) == INFINITE
    assert perps.liquidation_price(position, "ETH") == 2000 * WAD
    assert perps.liquidation_distance(position) == 0


# --- where it is liquidated ------------------------------------------------------------------------------------------


@given(positions(), st.data())
def test_the_liquidation_price_is_the_first_that_liquidates(position: PerpPosition, data: st.DataObject) -> None:
    """At it the account is liquidated; nowhere between it and the mark is it."""
    assume(not perps.is_liquidatable(position))
    leg = data.draw(st.sampled_from(position.legs))
    found = perps.liquidation_price(position, leg.market)
    towards = -1 if leg.is_long else 1
    if found is None:
        beyond = data.draw(st.integers(0, leg.mark_price) if leg.is_long else st.integers(1, 2**30))
        price = beyond if leg.is_long else leg.mark_price * beyond
        assert not perps.is_liquidatable(perps.at_price(position, leg.market, price))
        return
    assert perps.is_liquidatable(perps.at_price(position, leg.market, found))
    assert (found - leg.mark_price) * towards > 0
    near = range(1, min(40, abs(found - leg.mark_price)) + 1)
    between = [found - towards * step for step in near]
    between += data.draw(st.lists(st.integers(*sorted((leg.mark_price, found - towards))), max_size=20))
    for price in between:
        assert not perps.is_liquidatable(perps.at_price(position, leg.market, price)), price


@given(cross())
def test_the_distance_is_that_of_the_nearest_market(position: PerpPosition) -> None:
    """One market's fall or rise is enough; the distance is rounded down, so nothing nearer liquidates."""
    assume(not perps.is_liquidatable(position))
    distance = perps.liquidation_distance(position)
    prices = {leg.market: perps.liquidation_price(position, leg.market) for leg in position.legs}
    away = [abs(p - leg.mark_price) * WAD // leg.mark_price for leg in position.legs if (p := prices[leg.market])]
    assert distance == (min(away) if away else INFINITE) or 0 in prices.values()


@given(cross(legs=1), amounts(1, 10**5 * WAD))
def test_more_margin_moves_liquidation_away(position: PerpPosition, more: int) -> None:
    """Never nearer."""
    before = perps.liquidation_distance(position)
    assert perps.liquidation_distance(with_margin(position, more)) >= before


# --- what it takes ---------------------------------------------------------------------------------------------------


@given(positions(), RATIOS)
def test_the_margin_asked_for_is_enough_and_no_unit_more(position: PerpPosition, ratio: Wad) -> None:
    """Added, it reaches the ratio; one unit less does not."""
    more = perps.margin_to_reach(position, ratio)
    assert perps.margin_ratio(with_margin(position, more)) >= ratio
    if more:
        assert perps.margin_ratio(with_margin(position, more - 1)) < ratio


@given(positions(), RATIOS, COSTS, st.data())
def test_the_size_asked_for_is_enough_and_no_unit_more(
    position: PerpPosition, ratio: Wad, cost: TradeCost, data: st.DataObject
) -> None:
    """Closed, it reaches the ratio; one unit less does not; None only where closing all of it does not either."""
    leg = data.draw(st.sampled_from(position.legs))
    size = perps.size_to_reach(position, leg.market, ratio, cost)
    if size is None:
        assert perps.margin_ratio(perps.reduced(position, leg.market, abs(leg.size), cost)) < ratio
        return
    assert perps.margin_ratio(perps.reduced(position, leg.market, size, cost)) >= ratio
    if size:
        assert perps.margin_ratio(perps.reduced(position, leg.market, size - 1, cost)) < ratio


@given(positions(), COSTS, st.data())
def test_closing_a_part_moves_worth_about_and_loses_only_its_cost(
    position: PerpPosition, cost: TradeCost, data: st.DataObject
) -> None:
    """What was profit or owed is in the margin afterwards; the cost of what was closed is gone, and not a unit more."""
    leg = data.draw(st.sampled_from(position.legs))
    size = data.draw(st.integers(0, abs(leg.size)))
    after = perps.reduced(position, leg.market, size, cost)
    changed = after.leg(leg.market)
    paid = cost.of(perps.notional(leg) - perps.notional(changed))
    freed = leg.closing_cost - changed.closing_cost
    plain, plain_after = replace(position, equity_step=1), replace(after, equity_step=1)
    assert perps.equity(plain_after) == perps.equity(plain) - paid + freed
    assert abs(changed.size) == abs(leg.size) - size
    assert changed.size * leg.size >= 0
    assert changed.entry_notional * abs(leg.size) >= leg.entry_notional * abs(changed.size), "rounded against a long"
    if size:
        assert perps.owed(changed) == changed.closing_cost


def test_more_than_there_is_cannot_be_closed() -> None:
    """A reduction never turns into the opposite position."""
    with pytest.raises(ValueError, match="not a part"):
        perps.reduced(a_position(), "ETH", 3 * WAD + 1, TradeCost(0))


# --- exposure and carry ----------------------------------------------------------------------------------------------


@given(cross())
def test_delta_is_size_by_underlying(position: PerpPosition) -> None:
    """Whole units of 18 decimals, short is negative."""
    assert perps.delta(position) == {leg.symbol: leg.size for leg in position.legs}


def test_margin_in_the_underlying_is_exposure_too() -> None:
    """A long of 3 with 1 of the same as margin gains like 4; a short of 1 backed by 1 not at all."""
    assert perps.delta(a_position(indexed_margin=WAD)) == {"ETH": 4 * WAD}
    assert perps.delta(a_position(a_leg(size=-WAD), indexed_margin=WAD)) == {"ETH": 0}


@given(cross())
def test_funding_is_rounded_against_us(position: PerpPosition) -> None:
    """What is paid from above, what is received from below: both sides of a market never sum to a gain."""
    mirrored = tuple(replace(leg, size=-leg.size, funding_rate=-leg.funding_rate) for leg in position.legs)
    assert perps.funding_per_day(position) + perps.funding_per_day(replace(position, legs=mirrored)) in range(4)


# --- what earlier trades left pending --------------------------------------------------------------------------------


def stored(pending: int, equity: int = 6_239) -> PerpPosition:
    """A long of 100,000 dollars that is worth so much, with impact of its opening still to be settled."""
    leg = a_leg(size=50 * WAD, entry_notional=100_000 * WAD, pending_impact=pending * WAD)
    return a_position(leg, margin=equity * WAD, basis=MarginBasis.ENTRY, equity_step=1)


def test_a_loss_that_opening_left_pending_is_settled_with_the_part_that_is_closed() -> None:
    """Half is closed: half of the 377 dollars goes with it. Leverage is 8.24 then, and not the 7.99 of before."""
    half = 50 * WAD * 5_015 // 10_000
    after = perps.reduced(stored(-377), "ETH", half, TradeCost(0))
    assert perps.equity(after) == (6_239 * WAD - mul_div_up(377 * WAD, half, 50 * WAD))
    assert round(perps.leverage(after) / WAD, 2) == 8.24
    assert round(perps.leverage(perps.reduced(stored(0), "ETH", half, TradeCost(0))) / WAD, 2) == 7.99
    assert after.legs[0].pending_impact == -377 * WAD + mul_div_up(377 * WAD, half, 50 * WAD)


def test_a_gain_that_opening_left_pending_is_not_counted_on() -> None:
    """It is settled up to what the pool holds, and that may be nothing."""
    half = 25 * WAD
    assert perps.equity(perps.reduced(stored(377), "ETH", half, TradeCost(0))) == 6_239 * WAD


@given(st.integers(0, 2_000), st.integers(0, 50))
def test_more_is_closed_where_a_loss_is_pending(pending: int, more: int) -> None:
    """The size that reaches a ratio is found with it, and does reach it."""
    ratio = Wad(WAD // 8 + more * WAD // 1000)
    size, plain = (perps.size_to_reach(of, "ETH", ratio, TradeCost(0)) for of in (stored(-pending), stored(0)))
    assert plain is not None
    if size is not None:
        assert size >= plain
        assert perps.margin_ratio(perps.reduced(stored(-pending), "ETH", size, TradeCost(0))) >= ratio
