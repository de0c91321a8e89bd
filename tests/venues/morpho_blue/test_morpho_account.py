"""What an account's answers mean: ages, dollars, and what is unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import BLOCK, OWNER, at
from hypothesis import given
from hypothesis import strategies as st
from morpho_builders import (
    DOLLAR,
    ETHER,
    ORACLE,
    a_market,
    a_position,
    an_account,
    answers_of,
    inside,
    usual_answers,
    usual_totals,
    words,
)

from keeper.core.lending import figures as lending
from keeper.core.lending.moves import Repay, RepayWithCollateral, Supply, Unpledge, Withdraw
from keeper.core.lending.position import Barred
from keeper.core.units import USD, WAD, Address, Amount
from keeper.venues.codec.abi import address
from keeper.venues.morpho_blue.arithmetic import most_debt
from keeper.venues.ports import PricesMovedError, ReadFailedError

WETH, USDC, ME = address(at("WETH")), address(at("USDC")), Address(OWNER)
MARKET = a_market(WETH, USDC)
NOW = BLOCK.timestamp
PRICE = 2000 * 10 ** (36 + 6 - 18)
SHARES = 13_000 * DOLLAR * usual_totals(NOW).borrow_shares // usual_totals(NOW).borrow


def test_health_is_the_most_debt_over_the_debt() -> None:
    """To the last digit, and its dollars by whoever says what the loan is worth."""
    found = a_position(MARKET, ME, BLOCK)
    owed = usual_totals(NOW).owed(SHARES)
    assert found.reported.health_factor == most_debt(10 * ETHER, PRICE, 86 * WAD // 100) * WAD // owed
    assert found.reported.collateral_value == 20_000 * USD
    assert found.holding(USDC).principal.debt == SHARES
    assert found.holding(WETH).penalty == pytest.approx(0.043841 * WAD, rel=1e-4)


def test_a_loan_of_another_worth_moves_the_dollars_and_not_the_health() -> None:
    """The oracle's price of the two against each other is what liquidates."""
    totals = usual_totals(NOW)
    half = answers_of(NOW, totals, SHARES, 10 * ETHER, PRICE, dollars=USD // 2)
    found = an_account(MARKET, ME).probe("mine", BLOCK).decode(half)
    usual = a_position(MARKET, ME, BLOCK)
    assert found.reported.health_factor == usual.reported.health_factor
    assert found.reported.debt_value == pytest.approx(usual.reported.debt_value / 2, abs=1)
    assert found.holding(WETH).price.answer == 1000 * USD


def test_a_price_is_as_old_as_the_oldest_feed_it_is_made_of() -> None:
    """Both feeds of the oracle count; one that does not answer leaves the age unknown."""
    one, _, second, dollars = usual_answers(NOW)
    old = words(3, 1, NOW - 5000, NOW - 5000, 3)
    found = an_account(MARKET, ME).probe("mine", BLOCK).decode((one, old, second, dollars))
    assert found.holding(WETH).price.updated_at == NOW - 5000
    unknown = an_account(MARKET, ME).probe("mine", BLOCK).decode((one, old, None, dollars))
    assert unknown.holding(WETH).price.updated_at is None


def test_nobody_to_say_what_the_loan_is_worth_is_a_failure_with_its_remedy() -> None:
    """No limit in dollars could be kept."""
    one, first, second, _ = usual_answers(NOW)
    with pytest.raises(ReadFailedError, match=r"price_safety\.assets\.USDC\.feed"):
        an_account(MARKET, ME).probe("mine", BLOCK).decode((one, first, second, None))


def test_totals_that_were_not_accrued_are_no_reading() -> None:
    """A rate model that reverts stops all that Morpho does in the market: never an older and healthier debt."""
    totals = usual_totals(NOW)
    late = words(*(totals.supply, totals.supply_shares, totals.borrow, totals.borrow_shares, NOW - 60, 0))
    one = inside(words(NOW), late, None, late, words(0, SHARES, 10 * ETHER), words(PRICE), None)
    with pytest.raises(ReadFailedError, match="no interest accrues"):
        an_account(MARKET, ME).probe("mine", BLOCK).decode((one, *usual_answers(NOW)[1:]))


def test_an_answer_from_two_blocks_is_asked_for_again() -> None:
    """Totals of a later block than the one that answers: no reading, and no word against the market's rate model."""
    totals = usual_totals(NOW)
    late = words(*(totals.supply, totals.supply_shares, totals.borrow, totals.borrow_shares, NOW + 12, 0))
    one = inside(words(NOW), late, None, late, words(0, SHARES, 10 * ETHER), words(PRICE), None)
    with pytest.raises(PricesMovedError, match="two blocks at once"):
        an_account(MARKET, ME).probe("mine", BLOCK).decode((one, *usual_answers(NOW)[1:]))


def test_a_rate_that_nobody_says_is_not_zero() -> None:
    """In a block in which the market was just updated, of an unknown model, the usual rate serves; without one: no."""
    answers = answers_of(NOW, usual_totals(NOW), SHARES, 10 * ETHER, PRICE, rate_at_target=None)
    found = an_account(MARKET, ME).probe("mine", BLOCK).decode(answers)
    assert found.model.facts["rate_per_second"] == str(10**9)
    with pytest.raises(ReadFailedError, match="what a debt costs"):
        replace(an_account(MARKET, ME), usual_rate=None).probe("mine", BLOCK).decode(answers)


@given(st.integers(0, 10 * 86_400), st.integers(0, 10 * 86_400))
def test_interest_in_two_steps_is_interest_in_one(first: int, second: int) -> None:
    """To a part in a billion; it is never less."""
    found = a_position(MARKET, ME, BLOCK)
    loan, model = found.holding(USDC), found.model
    at_once = model.accrued(loan, first + second).borrowed
    assert at_once >= loan.borrowed
    stepwise = model.accrued(model.accrued(loan, first), second).borrowed
    assert abs(stepwise - at_once) <= at_once // 100


@given(st.integers(1, 13_000 * DOLLAR), st.integers(0, 86_400))
def test_what_a_plan_repays_bears_no_interest_any_more(paid: int, seconds: int) -> None:
    """Rounded against the owner: never below the rest with its own interest."""
    found = a_position(MARKET, ME, BLOCK)
    loan, model = found.holding(USDC), found.model
    rest = replace(loan, borrowed=Amount(max(0, loan.borrowed - paid)))
    later, whole = model.accrued(rest, seconds).borrowed, model.accrued(loan, seconds).borrowed
    assert rest.borrowed <= later <= whole


@given(st.integers(USD, 10_000 * USD))
def test_at_other_prices_the_oracle_is_made_to_say_just_them(dollars: int) -> None:
    """What is put in its place for a rehearsal reads back as the price that was meant."""
    found = a_position(MARKET, ME, BLOCK)
    moved = lending.at_prices(lending.account_of(found), {WETH: dollars})
    then = replace(found, holdings=moved.holdings)
    model = found.model
    price = model.oracle_price(then.holdings)  # type: ignore[attr-defined]
    assert price * USD // MARKET.scale == dollars
    codes = an_account(MARKET, ME).priced_at(then, found)
    assert codes is not None
    assert codes.keys() == ({ORACLE} if then.holding(WETH).price.answer != found.holding(WETH).price.answer else set())


def test_what_the_market_does_not_do_is_barred_and_refused() -> None:
    """The loan secures nothing, the collateral is not lent, and neither can be had as the other."""
    found = a_position(MARKET, ME, BLOCK)
    assert isinstance(found.holding(USDC).room.supply, Barred)
    assert isinstance(found.holding(WETH).room.borrow, Barred)
    assert found.holding(USDC).room.borrow == 2_000_000 * DOLLAR
    for move in (Supply(USDC, Amount(1)), Withdraw(USDC, None), Repay(WETH, Amount(1)), Unpledge(WETH)):
        with pytest.raises(ValueError, match="is nothing"):
            MARKET.encode(move, found, ME)
    with pytest.raises(ValueError, match="is nothing"):
        MARKET.encode(RepayWithCollateral(WETH, Amount(1)), found, ME)


def test_other_nodes_are_asked_the_one_read_whole() -> None:
    """Its answer is what the position was judged by."""
    account = an_account(MARKET, ME)
    asked = account.witness(a_position(MARKET, ME, BLOCK))
    assert asked is not None
    assert asked[0] == account.probe("mine", BLOCK).reads[0]
    assert asked[1] == usual_answers(NOW)[0]
