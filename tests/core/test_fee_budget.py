"""What a rescue may cost in gas."""

from __future__ import annotations

from core_builders import assessed, loop
from hypothesis import given
from hypothesis import strategies as st

from keeper.core import fee_budget as stakes
from keeper.core.fee_budget import Stake, fee_ceiling, near, stake, trigger_health
from keeper.core.rules import Measure, Trigger
from keeper.core.units import BPS, INFINITE, USD, WAD, Bps, Usd, Wad, Wei


def test_nearness_is_whole_at_liquidation_and_least_at_the_trigger() -> None:
    """Between the two it is a straight line."""
    trigger = Wad(WAD * 5 // 4)
    assert near(Wad(WAD), trigger) == WAD
    assert near(Wad(WAD // 2), trigger) == WAD
    assert near(Wad(WAD * 9 // 8), trigger) == WAD // 2
    assert near(trigger, trigger) == near(Wad(INFINITE), trigger) == stakes.LEAST_NEARNESS


@given(a=st.integers(1, 3 * WAD), b=st.integers(1, 3 * WAD))
def test_the_nearer_liquidation_the_more_may_be_paid(a: int, b: int) -> None:
    """A lower health factor never lowers the ceiling."""
    low, high = sorted((a, b))
    assert near(Wad(low), Wad(2 * WAD)) >= near(Wad(high), Wad(2 * WAD))


def test_the_stake_is_bonus_times_collateral_at_risk_times_nearness() -> None:
    """10 WETH at 2000 against 13,000 USDC: at risk is the debt and the bonus of 5 % on it."""
    found = assessed(loop("10", "13000"))
    sum_ = stake(found.position, found.account, found.figures, Wad(2 * WAD), Bps(5000))
    assert sum_.bonus == 500
    assert sum_.collateral_at_risk == 13_650 * USD
    assert sum_.expected_loss == 13_650 * USD * 500 // BPS * sum_.nearness // WAD
    assert sum_.most_fee == sum_.expected_loss // 2


def test_the_owners_cap_bounds_the_ceiling() -> None:
    """100 dollars at 2000 a token over a million gas are 50 gwei; a cap of 20 is 20."""
    sum_ = Stake(Usd(0), Bps(500), Wad(WAD), Usd(0), Bps(5000), Usd(100 * USD))
    assert fee_ceiling(sum_, 10**6, 2000 * USD, None) == 50 * 10**9
    assert fee_ceiling(sum_, 10**6, 2000 * USD, Wei(20 * 10**9)) == 20 * 10**9


def test_without_a_price_of_the_native_token_only_the_cap_counts() -> None:
    """Unknown is not zero: nothing to divide by."""
    sum_ = Stake(Usd(0), Bps(500), Wad(WAD), Usd(0), Bps(5000), Usd(100 * USD))
    assert fee_ceiling(sum_, 10**6, 0, Wei(7)) == 7
    assert fee_ceiling(sum_, 10**6, 0, None) is None


def test_every_trigger_has_the_health_factor_at_which_it_begins() -> None:
    """LTV and distance are turned into one with the account's own threshold of 83 %."""
    figures = assessed(loop("10", "13000")).figures
    assert trigger_health(Trigger(Measure.HEALTH_FACTOR, True, 125 * WAD // 100), figures) == 125 * WAD // 100
    assert trigger_health(Trigger(Measure.LTV, False, WAD * 83 // 166), figures) == 166 * WAD // 100
    assert trigger_health(Trigger(Measure.LIQUIDATION_DISTANCE, True, WAD // 5), figures) == 125 * WAD // 100
    assert trigger_health(Trigger(Measure.PRICE, True, 1500 * USD, "WETH"), figures) == 2 * WAD


def test_a_danger_has_one_budget_whatever_the_number_of_plans() -> None:
    """What earlier plans paid is taken off; the share of all that could be lost is never exceeded."""
    found = assessed(loop("10", "13000"))
    whole = 13_650 * USD * 500 // BPS // 2
    fresh = stake(found.position, found.account, found.figures, Wad(2 * WAD), Bps(5000))
    assert fresh.budget == whole
    assert fresh.left == fresh.most_fee
    assert not fresh.is_used_up
    for paid in (0, whole // 2, whole - USD, whole, 2 * whole):
        later = stake(found.position, found.account, found.figures, Wad(2 * WAD), Bps(5000), Usd(paid))
        assert later.left <= max(0, whole - paid)
        assert fee_ceiling(later, 10**6, 2000 * USD, None) == later.left * 10**18 // (2000 * USD * 10**6)
    spent = stake(found.position, found.account, found.figures, Wad(2 * WAD), Bps(5000), Usd(whole))
    assert spent.left == 0
    assert spent.is_used_up
