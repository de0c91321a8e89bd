"""What a liquidation takes, by close factor and bonus: worked out by hand."""

from __future__ import annotations

from core_builders import loop
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.lending import figures as lending
from keeper.core.lending.seizure import WHOLE, CloseRule, at_the_edge, seized
from keeper.core.units import USD, WAD, Bps, Usd, Wad

HALF = CloseRule(Bps(5_000), Wad(95 * WAD // 100), Usd(2_000 * USD))


def falling(debt: str, share: float) -> lending.Loan:
    """Ten ether, at a share of two thousand dollars."""
    account = lending.account_of(loop("10", debt))
    prices = {h.asset: int(h.price.answer * share) for h in account.holdings if h.symbol == "WETH"}
    return lending.at_prices(account, prices)


def test_just_below_one_half_of_the_debt_is_paid_and_its_worth_and_five_percent_taken() -> None:
    """14,000 dollars of debt: 7,000 paid, 7,350 taken, 350 lost."""
    account = at_the_edge(lending.account_of(loop("10", "14000")))
    assert WAD * 99 // 100 < lending.health_factor(account) < WAD
    found = seized(account, HALF, most=1)
    assert found.count == 1
    assert found.repaid == 7_000 * USD
    bonus = next(h.penalty for h in account.holdings if h.is_collateral)
    assert abs(found.loss - 7_000 * USD * bonus // WAD) <= 2


def test_far_below_and_of_small_positions_all_of_it_is_paid() -> None:
    """At 0.95 or less; under two thousand dollars."""
    assert seized(falling("14000", 0.75), HALF, most=1).repaid >= 13_000 * USD
    small = at_the_edge(lending.account_of(loop("1", "1400")))
    assert seized(small, HALF, most=1).repaid == 1_400 * USD
    assert seized(at_the_edge(lending.account_of(loop("10", "14000"))), WHOLE, most=1).repaid == 14_000 * USD


def test_nothing_is_taken_of_a_healthy_loan() -> None:
    """Nor of one without a debt."""
    assert seized(lending.account_of(loop("10", "9000")), HALF).count == 0


def test_more_than_there_is_is_never_taken_and_what_is_left_of_the_debt_is_forgiven() -> None:
    """A gap of two thirds: all collateral goes, and the rest is the protocol's loss."""
    found = seized(falling("14000", 0.3), HALF)
    assert sum(h.supplied for h in found.after.holdings) == 0
    assert sum(h.borrowed for h in found.after.holdings) == 0
    assert found.forgiven > 7_000 * USD
    assert found.seized <= 6_001 * USD


@given(st.floats(0.05, 1.0), st.integers(100, 15_000))
def test_liquidations_end_and_never_make_money_out_of_nothing(share: float, debt: int) -> None:
    """Health is 1 again or nothing is left; what is taken is worth what is paid and the bonus at the most."""
    before = falling(str(debt), share)
    found = seized(before, HALF)
    left = sum(h.supplied for h in found.after.holdings)
    assert lending.health_factor(found.after) >= WAD or not left or found.count == 64
    assert found.seized <= found.repaid * 115 // 100 + 10 * USD
    assert all(h.supplied >= 0 and h.borrowed >= 0 for h in found.after.holdings)
