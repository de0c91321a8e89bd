"""What a rescue may cost in gas."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from core_builders import NOW, above, assessed, at, below, loop, rule, to_ltv
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.fees import lowest
from keeper.core.fee_budget import Stake, fee_for, fee_worth, near, safe_health, stake, trigger_health
from keeper.core.lending.metrics import CLOSED, HEALTH_FACTOR, LIQUIDATION_DISTANCE, LTV, PRICE, as_if
from keeper.core.lending.position import AccountFigures, Beside
from keeper.core.lending.rules import LendingAssessment
from keeper.core.pace import Drift
from keeper.core.risk.correlation import Correlations
from keeper.core.risk.market import Market, Movement
from keeper.core.units import BPS, INFINITE, USD, WAD, Bps, Usd, Wad, Wei


def test_nearness_is_whole_at_liquidation_and_nothing_where_the_danger_is_over() -> None:
    """Between the two it is a straight line."""
    safe = Wad(WAD * 5 // 4)
    assert near(Wad(WAD), safe) == WAD
    assert near(Wad(WAD // 2), safe) == WAD
    assert near(Wad(WAD * 9 // 8), safe) == WAD // 2
    assert near(safe, safe) == near(Wad(INFINITE), safe) == 0


@given(a=st.integers(1, 3 * WAD), b=st.integers(1, 3 * WAD))
def test_the_nearer_liquidation_the_more_may_be_paid(a: int, b: int) -> None:
    """A lower health factor never lowers the ceiling."""
    low, high = sorted((a, b))
    assert near(Wad(low), Wad(2 * WAD)) >= near(Wad(high), Wad(2 * WAD))


def test_the_stake_is_bonus_times_collateral_at_risk_times_nearness() -> None:
    """10 WETH at 2000 against 13,000 USDC: at risk is the debt and the bonus of 5 % on it."""
    found = assessed(loop("10", "13000"))
    sum_ = stake(found, Wad(2 * WAD), Bps(5000))
    assert sum_.bonus == 500
    assert sum_.collateral_at_risk == 13_650 * USD
    assert sum_.expected_loss == 13_650 * USD * 500 // BPS * sum_.nearness // WAD
    assert sum_.averted == sum_.expected_loss
    assert sum_.most_fee == sum_.expected_loss // 2


def test_a_rule_that_fired_far_from_liquidation_is_worth_something() -> None:
    """A stop at a price, the account well above what is safe: a twentieth of what could be lost, whole or in part."""
    found = assessed(loop("10", "5000"))
    whole, part = (stake(found, Wad(2 * WAD), Bps(5000), after=after) for after in (None, found.figures))
    assert whole.most_fee == part.most_fee == 5_250 * USD * 500 // BPS // 20 // 2


@given(start=st.integers(1, 390), parts=st.integers(2, 12))
def test_parts_of_a_rescue_are_worth_no_more_than_the_whole(start: int, parts: int) -> None:
    """Each step towards safety may cost a share of what it averts itself: many of them cost no more than one plan."""
    first, safe = WAD + start * WAD // 1000, Wad(WAD * 7 // 5)
    found = assessed(loop("10", "13000"))

    def at_figures(now: AccountFigures) -> LendingAssessment:
        return replace(found, position=as_if(found.position, now))

    ways = [replace(found.figures, health_factor=Wad(first + (safe - first) * n // parts)) for n in range(parts + 1)]
    steps = pairwise(ways)
    spent = sum(stake(at_figures(now), safe, Bps(5000), after=then).most_fee for now, then in steps)
    assert spent <= stake(at_figures(ways[0]), safe, Bps(5000)).most_fee


def test_a_round_that_a_fall_takes_back_is_worth_what_it_averts_and_no_more() -> None:
    """From 1.010 to 1.015 of the 1.40 that is safe: an eightieth of the loss, and the debt that it repays."""
    found = assessed(loop("10", "16435"))
    after = replace(found.figures, health_factor=Wad(found.figures.health_factor + 5 * WAD // 1000))
    part, whole = (stake(found, Wad(WAD * 7 // 5), Bps(5000), after=a) for a in (after, None))
    assert part.most_fee * 70 < whole.most_fee
    assert part.expected_loss == whole.expected_loss


def test_in_a_fast_fall_liquidation_counts_as_near_as_it_is_once_a_plan_is_mined() -> None:
    """2 % a block: at 1.040 a sale of now is mined at 0.998, and all of the loss is averted by it."""
    calm = assessed(loop("10", "15961"))
    falling = replace(calm, drifts={at("WETH"): Drift(Bps(200), Bps(0))})
    still, fast = (stake(one, Wad(WAD * 6 // 5), Bps(5000)) for one in (calm, falling))
    assert WAD * 79 // 100 < still.nearness < WAD * 81 // 100
    assert fast.nearness == WAD
    assert fast.budget == still.budget


def test_what_helps_only_until_the_fall_goes_on_is_worth_something_where_gas_is_cheap() -> None:
    """From 1.03 to 1.05 at 4 % a block: liquidated all the same if it goes on, saved if it ends: that counts."""
    found = replace(assessed(loop("10", "16117")), drifts={at("WETH"): Drift(Bps(400), Bps(0))})
    after = replace(found.figures, health_factor=Wad(WAD * 105 // 100))
    sum_ = stake(found, Wad(WAD * 6 // 5), Bps(5000), after=after)
    assert sum_.most_fee > sum_.budget // 12 > 0  # type: ignore[operator]


def test_what_is_safe_is_what_the_target_says_and_never_below_the_trigger() -> None:
    """A health factor as it is, an LTV by the account's own threshold; closing counts as 2."""
    figures = assessed(loop("10", "13000")).figures
    assert safe_health(rule("1.25", "1.60"), figures) == WAD * 8 // 5
    assert safe_health(rule("1.25", to_ltv(Wad(WAD // 2))), figures) == WAD * 166 // 100
    assert safe_health(rule("1.25", CLOSED), figures) == 2 * WAD
    assert safe_health(rule("2.50", to_ltv(Wad(WAD // 2))), figures) == WAD * 5 // 2


def test_the_owners_cap_bounds_the_ceiling() -> None:
    """100 dollars at 2000 a token over a million gas are 50 gwei; a cap of 20 is 20."""
    sum_ = Stake(Usd(0), Bps(500), Wad(WAD), Usd(0), Usd(0), Bps(5000), Usd(100 * USD))
    assert lowest(None, fee_for(sum_.left, 10**6, 2000 * USD)) == 50 * 10**9
    assert lowest(Wei(20 * 10**9), fee_for(sum_.left, 10**6, 2000 * USD)) == 20 * 10**9


def test_without_a_price_of_the_native_token_only_the_cap_counts() -> None:
    """Unknown is not zero: nothing to divide by."""
    sum_ = Stake(Usd(0), Bps(500), Wad(WAD), Usd(0), Usd(0), Bps(5000), Usd(100 * USD))
    assert lowest(Wei(7), fee_for(sum_.left, 10**6, 0)) == 7
    assert lowest(None, fee_for(sum_.left, 10**6, 0)) is None


def test_every_trigger_has_the_health_factor_at_which_it_begins() -> None:
    """LTV and distance are turned into one with the account's own threshold of 83 %."""
    figures = assessed(loop("10", "13000")).figures
    assert trigger_health(below(HEALTH_FACTOR, 125 * WAD // 100), figures) == 125 * WAD // 100
    assert trigger_health(above(LTV, WAD * 83 // 166), figures) == 166 * WAD // 100
    assert trigger_health(above(LTV, WAD * 7 // 10), figures) == 83 * WAD // 70, "rounded down: no safer than it is"
    assert trigger_health(below(LIQUIDATION_DISTANCE, WAD // 5), figures) == 125 * WAD // 100
    assert trigger_health(below(PRICE, 1500 * USD, "WETH"), figures) == 2 * WAD


def test_a_danger_has_one_budget_whatever_the_number_of_plans() -> None:
    """What earlier plans paid is taken off; the share of all that could be lost is never exceeded."""
    found = assessed(loop("10", "13000"))
    whole = 13_650 * USD * 500 // BPS // 2
    fresh = stake(found, Wad(2 * WAD), Bps(5000))
    assert fresh.budget == whole
    assert fresh.left == fresh.most_fee
    assert not fresh.is_used_up
    for paid in (0, whole // 2, whole - USD, whole, 2 * whole):
        later = stake(found, Wad(2 * WAD), Bps(5000), Usd(paid))
        assert later.left <= max(0, whole - paid)
        assert lowest(None, fee_for(later.left, 10**6, 2000 * USD)) == later.left * 10**18 // (2000 * USD * 10**6)
    spent = stake(found, Wad(2 * WAD), Bps(5000), Usd(whole))
    assert spent.left == 0
    assert spent.is_used_up


@given(st.integers(0, 10**15), st.integers(21_000, 10**8), st.integers(1, 10**13), st.integers(0, 10**22))
def test_gas_and_a_rollups_toll_together_never_cost_more_than_they_are_worth(
    worth: int, gas: int, native: int, toll: int
) -> None:
    """Whatever is bid up to the ceiling, the toll on top of it included."""
    fee = fee_worth(Usd(worth), gas, native, Wei(toll))
    if fee:
        assert (fee * gas + toll) * native <= worth * WAD
    assert fee_worth(Usd(worth), gas, native) >= fee


def storm(volatility: float) -> Market:
    """What is known of the two prices that a loop hangs on."""
    drivers = {at("WETH"): "eth", at("USDC"): "usd"}
    movements = {"eth": Movement(volatility, None, 3600), "usd": Movement(0.01, None, 86_400)}
    return Market(NOW, drivers, movements, Correlations({frozenset(("eth", "usd")): 0.0}))


def test_probability_times_loss_is_at_stake_where_the_history_says_that_it_is_more() -> None:
    """In a storm a loan far from its bound is worth more gas; in a calm, or where nothing is known, as before."""
    far, safe = loop("10", "12000"), Wad(WAD * 13 // 10)

    def paid(market: Market | None) -> Stake:
        seen = replace(far, beside=Beside({}, {}, market))
        return stake(replace(assessed(far), position=seen), safe, Bps(5000))

    plain, calm, wild = paid(None), paid(storm(0.3)), paid(storm(6.0))
    assert calm.most_fee == plain.most_fee
    assert wild.nearness > plain.nearness
    assert wild.expected_loss == wild.collateral_at_risk * wild.bonus // BPS * wild.nearness // WAD
    assert wild.budget == plain.budget, "the danger as a whole is worth no more"
    unknown = Market(NOW, {}, {}, Correlations())
    assert paid(unknown).most_fee == plain.most_fee
