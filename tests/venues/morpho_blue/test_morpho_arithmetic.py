"""Morpho's integers as the contract has them; what the contract itself says of them is in tests/world."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from morpho_builders import DOLLAR, ETHER, usual_totals

from keeper.core.units import WAD
from keeper.venues.morpho_blue.arithmetic import (
    YEAR_S,
    Totals,
    average_rate,
    compounded,
    curve,
    incentive,
    most_debt,
)

NOW = 1_750_000_000
totals_of = st.builds(
    lambda supply, share, index: Totals(
        supply, supply * 10**6, supply * share // 100, supply * share // 100 * 10**6 * 100 // index, NOW, 0
    ),
    st.integers(10**6, 10**30),
    st.integers(1, 100),
    st.integers(100, 300),
)


@given(totals_of, st.integers(1, 10**36))
def test_what_is_owed_rounds_up(of: Totals, shares: int) -> None:
    """By virtual shares and assets; a share is never worth nothing."""
    exact = shares * (of.borrow + 1), of.borrow_shares + 10**6
    assert (of.owed(shares) - 1) * exact[1] < exact[0] <= of.owed(shares) * exact[1]


def test_the_incentive_is_what_the_contract_grants() -> None:
    """Seen on the contract: 1.043841 at 86 %; never above 1.15."""
    assert incentive(86 * WAD // 100) == 1_043_841_336_116_910_229
    assert incentive(WAD // 10) == 115 * WAD // 100
    assert incentive(965 * WAD // 1000) == WAD * WAD // (WAD - 3 * WAD // 10 * (35 * WAD // 1000) // WAD)


def test_the_most_debt_is_cut_twice() -> None:
    """To the loan's unit, then by the LLTV: as the contract does it."""
    price = 2000 * 10 ** (36 + 6 - 18)
    assert most_debt(10 * ETHER, price, 86 * WAD // 100) == 17_200 * DOLLAR
    assert most_debt(10 * ETHER - 1, price, 86 * WAD // 100) == (20_000 * DOLLAR - 1) * 86 // 100


def test_interest_has_three_terms() -> None:
    """At 100 % for a year: 1 + 1/2 + 1/6, cut to the unit at each."""
    growth = compounded(WAD // YEAR_S, YEAR_S)
    assert abs(growth - (WAD + WAD // 2 + WAD // 6)) < 10**9


def test_the_curve_is_a_quarter_at_nothing_and_fourfold_at_everything() -> None:
    """And the rate at its target where nine tenths are lent out."""
    rate = 4 * WAD // 100 // YEAR_S

    def lent(share: int) -> Totals:
        return replace(usual_totals(NOW), supply=WAD, borrow=share * WAD // 100)

    assert curve(rate, lent(90)) == rate
    assert abs(curve(rate, lent(0)) - rate // 4) <= 1
    assert abs(curve(rate, lent(100)) - 4 * rate) <= 4
    assert curve(0, lent(90)) == rate


@given(totals_of, st.integers(1, 10**10), st.integers(1, 10**6))
def test_the_average_rate_is_never_below_what_was_charged(of: Totals, rate: int, seconds: int) -> None:
    """Told from two totals, rounded up to what a unit of interest shows."""
    grown = replace(of.grown(compounded(rate, seconds)), updated=of.updated + seconds)
    found = average_rate(of, grown)
    if of.borrow:
        assert found is not None
        assert found * of.borrow * seconds // WAD >= of.borrow * rate * seconds // WAD


def test_no_rate_is_told_where_no_time_passed() -> None:
    """Nor where nobody owes anything: unknown, and not nothing."""
    now = usual_totals(NOW)
    assert average_rate(now, now) is None
    assert average_rate(replace(now, borrow=0), replace(now, borrow=0, updated=NOW + 12)) is None
