"""What a book brings or costs in a day: signs, rounding, and the hedge's break-even."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core_builders import holding, position, usd, wad
from hypothesis import given
from hypothesis import strategies as st
from perp_builders import BOOK, leg_at, long, short, snapshot, told
from perp_strategies import a_position

from keeper.core.book.carry import Carry, carry
from keeper.core.book.position import exposure
from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import LendingPosition
from keeper.core.units import USD, WAD, Bps
from keeper.venues.aave_v3.model import RAY, Ray

YEAR = 365


def of(hedge: PerpPosition, supply: int = 0, borrow: int = 0, *more: Any, fee: int = 10, **book: Any) -> Carry:
    held, named = snapshot(lent_at(supply, borrow), hedge, *more), replace(BOOK, **book)
    return carry(exposure(named, held, "WETH"), held, Bps(fee))


def lent_at(supply: int, borrow: int) -> LendingPosition:
    """The usual loop, its ether earning and its dollars costing so much a year."""
    ether, dollars = holding("WETH", 10), holding("USDC", 0, 14_000)
    earns = replace(ether.ledger, supply_rate=Ray(supply), debt_rate=Ray(0))
    costs = replace(dollars.ledger, supply_rate=Ray(0), debt_rate=Ray(borrow))
    return position(replace(ether, ledger=earns), replace(dollars, ledger=costs))


def paying(rate: str, size: str = "-10") -> PerpPosition:
    """Ten ether short that pay so much a year."""
    amount = wad(rate.lstrip("-")) * (-1 if rate.startswith("-") else 1)
    return told(a_position(leg_at(size, "2000", funding_rate=amount)))


def test_supply_earns_and_debt_costs() -> None:
    """20,000 dollars at 3.65 % a year and 14,000 at 7.3 %: two dollars in, two eighty out."""
    found = of(short(), RAY * 365 // 10_000, RAY * 730 // 10_000)
    assert (found.supplied, found.borrowed) == (usd(2), usd("2.8"))
    assert found.per_day == usd(2) - usd("2.8") + found.funding


def test_funding_that_is_paid_is_negative_and_funding_received_positive() -> None:
    """20,000 dollars at 36.5 % a year: twenty a day."""
    assert of(paying("0.365")).funding == -usd(20)
    assert of(paying("-0.365")).funding == usd(20)


def test_a_hedge_that_earns_pays_for_itself_after_some_days() -> None:
    """Two tenths of a percent of 20,000 dollars, at twenty a day: two days."""
    found = of(paying("-0.365"))
    assert (found.to_open, found.days, found.move) == (usd(40), 2, 0)


def test_a_hedge_that_costs_is_worth_it_beyond_a_daily_move() -> None:
    """Twenty dollars a day of 20,000: a thousandth."""
    found = of(paying("0.365"))
    assert (found.days, found.move) == (None, WAD // 1000)


def test_no_hedge_has_no_break_even() -> None:
    """And divides by nothing."""
    found = of(short(size="0"))
    assert (found.funding, found.to_open, found.days, found.move) == (0, 0, None, 0)


def test_the_funding_of_any_member_counts_and_only_a_hedge_has_to_pay_for_itself() -> None:
    """A perpetual that is held for itself is part of the carry, not of the break-even."""
    bet = replace(paying("0.365", "10"), name="bet")
    found = of(paying("-0.365"), 0, 0, bet, positions=("loop", "bet"))
    assert found.funding == 0
    assert (found.days, found.to_open) == (2, usd(40))


def test_members_of_other_books_do_not_count() -> None:
    """The snapshot has all."""
    assert of(paying("-0.365"), 0, 0, replace(long(), name="other")).funding == usd(20)


def test_a_member_named_twice_counts_once() -> None:
    """As a position and as the hedge."""
    assert of(paying("0.365"), positions=("loop", "short")).funding == -usd(20)


@given(st.integers(-10 * WAD, 10 * WAD), st.integers(1, 10**22), st.integers(10**6, 10**23))
def test_rounding_is_against_the_owner(rate: int, size: int, price: int) -> None:
    """Costs from above, earnings from below."""
    leg = replace(leg_at("1", "2000", funding_rate=rate), size=-size, mark_price=price)
    found = of(told(a_position(leg)))
    exact = -size * price * rate  # 10^-54 dollars a year
    unit, notional_unit = YEAR * 10**46, WAD * abs(rate)  # the venue itself rounds the notional down
    assert exact - 2 * unit - notional_unit <= found.funding * unit <= exact + notional_unit
    assert found.to_open * WAD * WAD * 10_000 >= 2 * 10 * size * price * USD - 2 * 10 * WAD * USD
