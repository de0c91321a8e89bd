"""A plan by a loan that was made ready beforehand goes out only while its lender still has the loan."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from test_policy_bundles import APPROVE, BOUGHT, FLASH, USDC, WETH

from keeper.core.armed.bounds import OutOfBoundsError
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.moves import FlashBoost, Route
from keeper.core.units import Amount, Wad
from keeper.execution.armed import check_lent

PLAN: Any = SimpleNamespace(moves=(APPROVE, FLASH))


def test_a_lender_that_has_as_much_as_is_borrowed_serves() -> None:
    """To the unit."""
    check_lent(PLAN, {"bundler3": {USDC: Amount(BOUGHT)}}, {})


@pytest.mark.parametrize("there", [{}, {"bundler3": {}}, {"bundler3": {USDC: Amount(BOUGHT - 1)}}])
def test_a_lender_that_ran_short_since_makes_the_plan_unfit(there: Any) -> None:
    """It was emptied, or is not read any more: the bundle would revert, so the block is decided as usual."""
    with pytest.raises(OutOfBoundsError, match="to lend"):
        check_lent(PLAN, there, {})


def test_a_lender_that_asks_more_than_the_plan_pays_makes_it_unfit() -> None:
    """What was agreed may be asked, and less; of one unit more the bundle would revert."""
    there = {"bundler3": {USDC: Amount(BOUGHT)}}
    paying: Any = SimpleNamespace(moves=(APPROVE, replace(FLASH, fee=Amount(7))))
    for asked in (0, 7):
        check_lent(paying, there, {"bundler3": {USDC: LoanFee(Amount(asked), Wad(0))}})
    with pytest.raises(OutOfBoundsError, match="asks 8"):
        check_lent(paying, there, {"bundler3": {USDC: LoanFee(Amount(8), Wad(0))}})


def test_a_boost_by_a_loan_wants_what_the_lender_lends_beside_it_too() -> None:
    """A market that is the lender has to have it twice; and whoever asks a fee since makes no boost."""
    move = FlashBoost("bundler3", Route((USDC, WETH), (500,), "x"), Amount(5), Amount(7), held=Amount(10))
    boost: Any = SimpleNamespace(moves=(move,))
    check_lent(boost, {"bundler3": {USDC: Amount(10)}}, {})
    with pytest.raises(OutOfBoundsError, match="has 9"):
        check_lent(boost, {"bundler3": {USDC: Amount(9)}}, {})
    with pytest.raises(OutOfBoundsError, match="asks 1"):
        check_lent(boost, {"bundler3": {USDC: Amount(10)}}, {"bundler3": {USDC: LoanFee(Amount(1), Wad(0))}})
