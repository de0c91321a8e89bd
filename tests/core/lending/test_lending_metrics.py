"""Triggers on what a loan costs, what it stands on and whether it can be left: rates, pegs, utilisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from core_builders import above, at, below, holding, loop, memory, position, rule, safety, to_health, usd, wad

from keeper.core.decide import Hold, decide
from keeper.core.lending import actions
from keeper.core.lending.kind import LENDING
from keeper.core.lending.market_metrics import BORROW_RATE, NET_RATE, PEG, UTILISATION
from keeper.core.lending.metrics import BORROW_LIMIT_DISTANCE, LIQUIDATION_DISTANCE, METRICS
from keeper.core.lending.position import Beside
from keeper.core.lending.rules import LendingIntent, Rule, Verdict
from keeper.core.metrics import Metric, Subject
from keeper.core.prices import Backing, Doubt, SecondPrice
from keeper.core.reasons import Reason
from keeper.core.rules import assess
from keeper.core.snapshot import LendingPosition
from keeper.core.trail import Trail
from keeper.core.units import DAY_S, WAD, Wad

OURS = (BORROW_RATE, NET_RATE, PEG, UTILISATION)
HOUR = 3600


def with_rates(of: LendingPosition, symbol: str, **rates: str) -> LendingPosition:
    holdings = tuple(
        replace(h, rates=replace(h.rates, **{k: wad(v) for k, v in rates.items()})) if h.symbol == symbol else h
        for h in of.holdings
    )
    return replace(of, holdings=holdings)


def later(of: LendingPosition, seconds: int) -> LendingPosition:
    return replace(of, block=replace(of.block, timestamp=of.block.timestamp + seconds))


def seen(by: Rule, blocks: Sequence[LendingPosition]) -> Verdict:
    """The verdict at the last of some blocks, each remembered as a daemon does."""
    trail = Trail()
    for block in blocks:
        remember = by.trigger.metric.remember
        assert remember is not None
        trail = remember(trail, by.name, block, by.trigger.of, True)
    found = assess(LENDING, blocks[-1], (by,), (), trail=trail)
    assert found is not None
    (verdict,) = found.verdicts  # type: ignore[union-attr]
    return verdict


def averaged(metric: Metric[LendingPosition], blocks: Sequence[LendingPosition], window_s: int = DAY_S) -> int | Doubt:
    trigger = replace(above(metric, 0), of=Subject(None, window_s))
    verdict = seen(rule(trigger=trigger), blocks)
    assert (verdict.measured is None) is (verdict.doubt is not None)
    return verdict.doubt or verdict.measured or 0


def now(metric: Metric[LendingPosition], of: LendingPosition, asset: str | None = None) -> int | Doubt | None:
    (verdict,) = assess(LENDING, of, (rule(trigger=above(metric, 0, asset)),), ()).verdicts  # type: ignore[union-attr]
    return verdict.doubt or verdict.measured


# --- rates -----------------------------------------------------------------------------------------------------------


def test_a_borrow_rate_is_an_average_and_needs_half_of_its_window() -> None:
    """A spike of one hour in twelve is a twelfth of it."""
    dear = with_rates(loop(), "USDC", borrow="0.60")
    hours = [later(loop(), i * HOUR) for i in range(11)] + [later(dear, 11 * HOUR), later(loop(), 12 * HOUR)]
    few = averaged(BORROW_RATE, hours[:3])
    assert isinstance(few, Doubt)
    assert few.reason is Reason.UNMEASURED
    whole = averaged(BORROW_RATE, hours)
    assert isinstance(whole, int)
    assert wad("0.04") + (wad("0.56") // 12) - 10 <= whole <= wad("0.04") + wad("0.56") // 12 + 10


def test_a_borrow_rate_of_one_asset_is_that_debt_s_alone() -> None:
    """The other debt may cost what it will."""
    two = position(holding("WETH", 10), holding("USDC", 0, 5000), holding("DAI", 0, 5000))
    dear = with_rates(two, "DAI", borrow="0.50")
    trigger = replace(above(BORROW_RATE, wad("0.10"), "USDC"), of=Subject("USDC", DAY_S))
    calm = seen(rule(trigger=trigger), [later(dear, i * HOUR) for i in range(14)])
    assert (calm.measured, calm.fired) == (wad("0.04"), False)
    both = seen(rule(trigger=replace(trigger, of=Subject(None, DAY_S))), [later(dear, i * HOUR) for i in range(14)])
    assert both.measured is not None
    assert both.fired
    assert abs(both.measured - wad("0.27")) <= 1


def test_without_debt_there_is_no_borrow_rate_and_no_doubt() -> None:
    """Nothing is owed: nothing is there to be measured."""
    assert now(BORROW_RATE, position(holding("WETH", 10))) is None


def test_a_net_rate_is_below_zero_where_interest_eats_the_owner_s_money() -> None:
    """20,000 dollars at 2 % against 14,000 at 4 %: 400 less 560 on 6,000 of one's own, rounded down."""
    found = averaged(NET_RATE, [later(loop(), i * HOUR) for i in range(14)])
    assert found == -(160 * WAD // 6000) - 1


def staked(rate: str, after: int) -> LendingPosition:
    """Ten staked ether against 14,000 dollars, at a rate to ether, so many seconds later."""
    of = later(loop(), after)
    backing = Backing(at("WETH"), "ETH", wad(rate), usd(2000))
    return replace(of, beside=Beside({}, {at("WETH"): backing}))


def test_what_staked_assets_grow_by_counts_for_the_net_rate() -> None:
    """0.03 % in three and a half days is some 3.1 % a year on 20,000 dollars: a tenth on 6,000 of one's own."""
    blocks = [staked("1.2000", i * 6 * HOUR) for i in range(14)]
    grown = [*blocks, staked("1.20036", 14 * 6 * HOUR)]
    still = averaged(NET_RATE, [*blocks, staked("1.2000", 14 * 6 * HOUR)], 7 * DAY_S)
    more = averaged(NET_RATE, grown, 7 * DAY_S)
    assert isinstance(still, int)
    assert isinstance(more, int)
    yearly = (wad("1.20036") - wad("1.2000")) * 365 * DAY_S * 10 // (12 * 84 * HOUR)
    assert abs((more - still) - yearly * 20_000 // 6_000) <= 10


def test_a_rate_that_could_not_be_read_is_no_growth_of_zero() -> None:
    """Unknown is not zero: a loop that is fine must not be sold for want of a figure."""
    unknown = staked("0", 14 * 6 * HOUR)
    found = averaged(NET_RATE, [*[staked("1.2000", i * 6 * HOUR) for i in range(14)], unknown], 7 * DAY_S)
    assert isinstance(found, Doubt)
    assert found.reason is Reason.UNMEASURED


def test_a_staked_asset_of_which_nobody_said_what_it_grows_by_is_a_doubt() -> None:
    """Taken for nothing, its growth missing would have a sound loop sold."""
    of = loop()
    loops = [later(replace(of, holdings=(replace(of.holdings[0], symbol="wstETH"), *of.holdings[1:])), 0)]
    found = now(NET_RATE, loops[0])
    assert isinstance(found, Doubt)
    assert (found.reason, "what wstETH grows by" in found.detail) == (Reason.RULE_UNDECIDABLE, True)


# --- pegs and utilisation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("market", "fires"), [("1955", True), ("1961", False)])
def test_a_peg_is_the_market_s_price_of_what_an_asset_stands_for(market: str, *, fires: bool) -> None:
    """At 98 %: two percent below the oracle fires, one and a bit does not."""
    second = SecondPrice(at("WETH"), "pool", (usd(market),))
    of = replace(loop(), beside=Beside({at("WETH"): second}))
    (verdict,) = assess(LENDING, of, (rule(trigger=below(PEG, wad("0.98"))),), ()).verdicts  # type: ignore[union-attr]
    assert verdict.fired is fires


def test_a_peg_that_nothing_is_held_against_is_a_doubt() -> None:
    """Neither a second source nor what it stands for: nobody knows, and the owner hears what to write."""
    found = now(PEG, loop())
    assert isinstance(found, Doubt)
    assert found.reason is Reason.RULE_UNDECIDABLE
    assert "second_feed, or backed_by" in found.detail


def test_an_oracle_that_calls_a_broken_peg_whole_does_not_hide_it() -> None:
    """And one that follows the market is no excuse: the lower of the two is held against what it stands for."""
    backing = Backing(at("WETH"), "ETH", WAD, usd(2200))
    of = replace(loop(), beside=Beside({}, {at("WETH"): backing}))
    assert now(PEG, of) == 2000 * WAD // 2200


def test_utilisation_is_the_highest_of_what_is_supplied_or_that_of_one_asset() -> None:
    """What is borrowed does not matter: nobody has to withdraw it."""
    full = with_rates(with_rates(loop(), "WETH", utilisation="0.91"), "USDC", utilisation="0.99")
    assert now(UTILISATION, full) == wad("0.91")
    assert now(UTILISATION, full, "USDC") == wad("0.99")


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", OURS)
def test_an_asset_that_is_not_there_is_a_doubt(metric: Metric[LendingPosition]) -> None:
    """For each that may name one."""
    if metric.named is None:
        return
    found = now(metric, loop(), "WSTETH")
    assert isinstance(found, Doubt)
    assert found.reason is Reason.RULE_UNDECIDABLE


def pressed(target: str) -> Hold | LendingIntent:
    """What a rule on utilisation comes to, with a target of health."""
    full = with_rates(loop(), "WETH", utilisation="0.97")
    one = rule(trigger=above(UTILISATION, wad("0.95")), to=to_health(wad(target)), actions=(actions.DELEVERAGE,))
    found = assess(LENDING, full, (one,), ())
    return decide(LENDING, found, memory(), safety(), full.owner).lead


def test_such_a_rule_acts_until_its_target_and_rests_there() -> None:
    """Nothing of ours moves a rate or a peg: what is restored is the position."""
    assert isinstance(pressed("1.60"), LendingIntent)
    rests = pressed("1.10")
    assert isinstance(rests, Hold)
    assert rests.reason is Reason.AT_TARGET


@pytest.mark.parametrize("metric", OURS)
def test_none_of_them_is_a_target_and_a_fall_of_prices_is_no_new_danger_to_it(metric: Metric[LendingPosition]) -> None:
    """A cooldown holds it back however the market falls: rules on health are there for that."""
    assert (metric.risk, metric.at_target, metric.follows_prices) == (None, None, False)
    assert METRICS[metric.key] is metric


def test_rates_are_said_in_percent_a_year() -> None:
    """As an owner reads them at night."""
    assert (
        above(BORROW_RATE, wad("0.10"), "USDC").text(wad("0.1234"))
        == "borrow rate of USDC 12.34 % a year is above 10.00 %"
    )
    assert below(NET_RATE, 0).text(-Wad(WAD // 50)) == "net rate -2.00 % a year is below 0.00 %"
    assert below(PEG, wad("0.98"), "wstETH").text(wad("0.975")) == "peg of wstETH 97.50 % is below 98.00 %"


def test_the_borrow_limit_is_nearer_than_liquidation() -> None:
    """By the factors that loans are given by: zero at the limit and beyond; nothing where nothing is owed."""

    def measured(metric: Metric[LendingPosition], of: LendingPosition) -> int | None:
        found = assess(LENDING, of, (rule(trigger=below(metric, WAD // 2)),), ())
        assert found is not None
        (verdict,) = found.verdicts  # type: ignore[union-attr]
        return verdict.measured

    near, far = (measured(m, loop("10", "13000")) for m in (BORROW_LIMIT_DISTANCE, LIQUIDATION_DISTANCE))
    assert near is not None
    assert far is not None
    assert 0 < near < far
    assert measured(BORROW_LIMIT_DISTANCE, loop("10", "16500")) == 0
    assert measured(BORROW_LIMIT_DISTANCE, loop("10", "0")) is None
