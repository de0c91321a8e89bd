"""How far prices may move before liquidation, down or up: against the arithmetic of health itself."""

from __future__ import annotations

import pytest
from core_builders import at, holding, loop, position, usd
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.core.lending import figures as lending
from keeper.core.lending.distances import price_moves, rise_price, together
from keeper.core.lending.figures import Loan
from keeper.core.snapshot import LendingPosition
from keeper.core.units import WAD


def account(of: LendingPosition) -> Loan:
    return lending.account_of(of)


SHORT = position(holding("USDC", 100_000), holding("WBTC", 0, "0.7", price="84000"))


def test_a_debt_that_rises_is_a_risk() -> None:
    """100,000 USDC supplied, 0.7 WBTC owed: a rise of WBTC by 32.6 % liquidates, as a fall of USDC by 24.6 % does."""
    low, high = price_moves(account(SHORT))
    assert (low.asset, low.is_rise, round(low.share / WAD, 3)) == (at("USDC"), False, 0.246)
    assert (high.asset, high.is_rise, round(high.share / WAD, 3)) == (at("WBTC"), True, 0.327)
    assert rise_price(account(SHORT), at("WBTC")) == usd(78_000) * 10 // 7


def test_collateral_down_with_debt_up_is_the_least_of_all() -> None:
    """(HF - 1) / (HF + 1): 14 % each."""
    found = together(account(SHORT))
    assert round(found / WAD, 3) == 0.140
    assert found < min(move.share for move in price_moves(account(SHORT)))


def test_what_is_owed_has_a_rise_price_and_no_fall_price_and_collateral_the_other_way_round() -> None:
    """A loop of ether against dollars."""
    of = account(loop())
    assert rise_price(of, at("WETH")) is None
    assert lending.liquidation_price(of, at("USDC")) is None
    assert {(m.asset, m.is_rise) for m in price_moves(of)} == {(at("WETH"), False), (at("USDC"), True)}


@pytest.mark.parametrize("owed", ["0", "16600", "20000"])
def test_without_debt_nothing_liquidates_and_beyond_liquidation_no_move_is_left(owed: str) -> None:
    """No distance is negative."""
    of = account(loop(dollars=owed))
    shares = [m.share for m in price_moves(of)]
    assert all(share == 0 for share in shares)
    assert bool(shares) == (owed != "0")
    assert together(of) == (WAD if owed == "0" else 0)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 100), st.integers(0, 10), st.integers(0, 100_000), st.integers(1, 100_000), st.integers(0, 10**6))
def test_at_the_price_told_health_is_one_and_beyond_it_less(
    eth: int, bitcoin: int, dollars: int, owed: int, owed_dai: int
) -> None:
    """For any account that is above liquidation, the arithmetic of health is the judge, to a millionth."""
    mine = account(
        position(
            holding("WETH", eth), holding("WBTC", bitcoin), holding("USDC", dollars, owed), holding("DAI", 0, owed_dai)
        )
    )
    if lending.health_factor(mine) <= WAD + WAD // 10**4:
        return
    for move in price_moves(mine):
        there = lending.health_factor(lending.at_prices(mine, {move.asset: move.price}))
        assert abs(there - WAD) * 10**4 <= WAD or move.price < 10**4
        beyond = move.price * 101 // 100 if move.is_rise else move.price * 99 // 100
        assert lending.health_factor(lending.at_prices(mine, {move.asset: beyond})) < WAD
