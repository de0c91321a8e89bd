"""Margin or less size: how much, what it costs, what is promised, and what the limits leave of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import limits, usd, wad
from hypothesis import assume, given
from hypothesis import strategies as st
from perp_builders import (
    DOUBT,
    decided,
    in_kind,
    leg_at,
    long,
    perp_intent,
    perp_rule,
    perp_terms,
    planned,
    quote,
    resting,
    short,
    told,
)
from perp_strategies import a_position, positions

from keeper.core.decide import Hold
from keeper.core.held_back import Memory
from keeper.core.metrics import Target
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import margin as perps
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.candidates import perp_plans, quotes_wanted
from keeper.core.perp.metrics import closed
from keeper.core.perp.moves import AddMargin, AllowMargin, Trade
from keeper.core.perp.plan import PerpPlan, PerpPromise, PerpStep
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.pricing import cost_share, gas_cost, value_of, worst_price
from keeper.core.perp.rules import PerpIntent, PerpRule
from keeper.core.reasons import Reason
from keeper.core.units import BPS, USD, WAD, Amount, Bps, Usd, Wad, Wei

LOW = short(margin="700")
ADD, REDUCE, CLOSE = perp_actions.ADD_MARGIN, perp_actions.REDUCE, perp_actions.CLOSE


def first(of: PerpPosition, held: str = "0", **rule: Any) -> PerpPlan:
    return planned(perp_intent(of, perp_rule(**rule)), held=held)[0]


def held_back(of: PerpPosition, rule: PerpRule, **terms: Any) -> Hold:
    found = perp_plans(perp_intent(of, rule), perp_terms(of, **terms))
    assert isinstance(found, Hold), found
    return found


def moves(plan: PerpPlan) -> list[type]:
    return [type(step.move) for step in plan.steps]


def trade_of(plan: PerpPlan) -> Trade:
    (trade,) = (s.move for s in plan.steps if isinstance(s.move, Trade))
    return trade


def test_margin_reaches_the_target_and_is_approved_exactly() -> None:
    """From 700 to a hair above 1,200 dollars: a fifth of 6,000."""
    plan = first(LOW, held="5000", actions=[ADD])
    allow, add = (step.move for step in plan.steps)
    assert isinstance(allow, AllowMargin)
    assert isinstance(add, AddMargin)
    assert allow.amount == add.amount
    assert 500 * 10**6 <= add.amount <= 501 * 10**6
    assert not plan.is_partial
    assert plan.postcondition.is_met(plan.projected)
    assert not plan.postcondition.is_met(LOW)


@pytest.mark.parametrize(
    ("allowance", "steps"),
    [(0, [AllowMargin, AddMargin]), (1, [AllowMargin, AllowMargin, AddMargin]), (10**12, [AddMargin])],
)
def test_an_allowance_is_used_or_taken_back_first(allowance: int, steps: list[type]) -> None:
    """Some tokens refuse to change one that is not zero."""
    found = planned(perp_intent(LOW, perp_rule(actions=[ADD])), held="5000", allowance=Amount(allowance))[0]
    assert moves(found) == steps


def test_less_size_reaches_the_target_with_its_cost_paid() -> None:
    """Bought back for a short, sold for a long; no more than it takes."""
    for position, sign in ((LOW, 1), (long(margin="700"), -1)):
        plan = first(position, actions=[REDUCE])
        change = trade_of(plan).size_change
        assert change * sign > 0
        assert wad("1.2") < abs(change) < wad("1.35")
        assert perps.margin_ratio(plan.projected) >= wad("0.20")
        assert not trade_of(plan).is_close
        assert not trade_of(plan).is_increase


def test_a_trade_is_bounded_by_the_index_not_by_the_market() -> None:
    """A market pushed against us is what slippage is measured against."""
    (leg,) = LOW.legs
    pushed = told(LOW.with_leg(replace(leg, mark_price=wad("2010"))))
    plan = planned(perp_intent(pushed, perp_rule(actions=[REDUCE])))[0]
    assert trade_of(plan).worst_price == wad("2010")  # half a percent above 2,000
    assert worst_price(leg, -1, Bps(50)) == wad("1990")


def test_closing_closes_everything_and_promises_that_nothing_is_left() -> None:
    """Whatever margin stays."""
    plan = first(LOW, to=closed(), actions=[CLOSE])
    assert trade_of(plan).is_close
    assert trade_of(plan).size_change == 3 * WAD
    assert (plan.postcondition.least_size, plan.postcondition.most_size) == (0, 0)
    assert not plan.postcondition.is_met(LOW)
    assert plan.postcondition.is_met(plan.projected)
    assert plan.postcondition.is_met(replace(plan.projected, legs=()))


def test_margin_closes_nothing() -> None:
    """An exit asks for less size."""
    hold = held_back(LOW, perp_rule(to=closed(), actions=[ADD]), held="5000")
    assert hold.reason is Reason.NOTHING_HELPS


def test_the_cheaper_of_two_sufficient_ways_comes_first() -> None:
    """Margin costs its capital, a trade its fee; the other is told as dearer."""
    plans = planned(perp_intent(LOW), held="5000")
    assert [moves(p)[-1] for p in plans] == [AddMargin, Trade]
    assert [r.reason for r in plans[0].rejected] == [Reason.DEARER]


def test_what_the_wallet_lacks_is_made_up_by_less_size() -> None:
    """Partial help beats none, and both together may suffice."""
    rule = perp_rule(limits=limits(per_tx="1500"))
    plans = planned(perp_intent(LOW, rule), held="300")
    assert moves(plans[0]) == [AllowMargin, AddMargin, Trade]
    assert plans[0].label.startswith("add USDC margin 300")
    assert all(step.spend <= usd(1500) + 2 for step in plans[0].steps)


def test_together_they_stay_within_the_day() -> None:
    """Margin and trade are both dollars moved."""
    rule = perp_rule(limits=limits(per_day="800"))
    plans = planned(perp_intent(LOW, rule), held="300")
    assert moves(plans[0]) == [AllowMargin, AddMargin, Trade]
    assert plans[0].is_partial
    assert plans[0].spend <= usd(800) + 3


@pytest.mark.parametrize("mark", ["1970", "2000", "2030"])
def test_size_is_counted_at_the_dearer_price_against_limits(mark: str) -> None:
    """The gate counts at the index: a plan cut at a lower mark price would be refused for ever."""
    (leg,) = LOW.legs
    apart = told(LOW.with_leg(replace(leg, mark_price=wad(mark))))
    rule = perp_rule(bound="0.15", to=closed(), actions=[CLOSE], limits=limits(per_tx="1000"))
    plan = planned(perp_intent(apart, rule))[0]
    size = abs(trade_of(plan).size_change)
    assert size * max(wad(mark), wad("2000")) // WAD <= 1000 * WAD
    assert size * wad("2000") // WAD // 10**10 <= plan.spend <= usd(1000) + 1
    assert plan.is_partial


def test_dust_of_a_limit_is_not_worth_its_gas() -> None:
    """Less than a dollar of margin."""
    rule = perp_rule(actions=[ADD], limits=limits(per_tx="0.5"))
    assert held_back(LOW, rule, held="5000").reason is Reason.SPEND_LIMIT


def test_an_empty_wallet_is_told() -> None:
    """With the token it lacks."""
    hold = held_back(LOW, perp_rule(actions=[ADD]))
    assert (hold.reason, "USDC" in hold.detail) == (Reason.WALLET_EMPTY, True)


@pytest.mark.parametrize("given_", [None, {"notional": 0}])
def test_a_venue_that_quotes_nothing_is_not_traded_with(given_: dict[str, int] | None) -> None:
    """No answer, or an answer of nothing: that is no trade free of cost."""
    (leg,) = LOW.legs
    quotes = {} if given_ is None else {leg.market: quote(leg, -leg.size, **given_)}
    assert held_back(LOW, perp_rule(actions=[REDUCE]), quotes=quotes).reason is Reason.POOL_TOO_THIN


def test_a_gain_from_impact_is_not_counted_on() -> None:
    """It may be gone when the trade is done."""
    (leg,) = LOW.legs
    assert cost_share(quote(leg, 3 * WAD, impact=-(10**20))) == cost_share(quote(leg, 3 * WAD))
    assert cost_share(quote(leg, 3 * WAD, impact=10**18)).share > cost_share(quote(leg, 3 * WAD)).share


def test_closing_whole_through_a_thin_market_is_refused() -> None:
    """Impact beyond the slippage allowed."""
    (leg,) = LOW.legs
    quotes = {leg.market: quote(leg, -leg.size, impact=6000 * WAD // 100)}
    assert held_back(LOW, perp_rule(actions=[CLOSE]), quotes=quotes).reason is Reason.POOL_TOO_THIN


def test_what_a_doubt_forbids_is_told_with_the_plan() -> None:
    """The owner sees why it was only margin."""
    plans = planned(perp_intent(LOW, doubts=(DOUBT,)), held="5000")
    assert [r.reason for r in plans[0].rejected] == [Reason.DOUBTFUL_PRICE]
    assert quotes_wanted(perp_intent(LOW, doubts=(DOUBT,))) == {}
    assert quotes_wanted(perp_intent(LOW)) == {LOW.legs[0].market: 3 * WAD}


def test_margin_in_kind_is_valued_as_the_rest_is() -> None:
    """Ether behind a long of ether: more of it moves with the price as well."""
    position = in_kind(collateral="0.4")
    rule = perp_rule(bound="0.15", actions=[ADD])
    plan = planned(perp_intent(position, rule), held="1")[0]
    (add,) = (s.move for s in plan.steps if isinstance(s.move, AddMargin))
    assert wad("0.2") <= add.amount <= wad("0.201")
    assert plan.projected.indexed_margin == wad("0.4") + add.amount
    assert not plan.is_partial


def test_only_the_market_a_rule_names_is_traded() -> None:
    """The other leg of the account stays."""
    two = told(a_position(leg_at("1", "1800"), leg_at("-1", "2000", "BTC"), margin=wad("500")))
    stop = perp_rule(perp_metrics.STOP_LOSS, "1850", closed("ETH"), [CLOSE], market="ETH")
    plan = planned(perp_intent(two, stop))[0]
    assert (trade_of(plan).market, trade_of(plan).size_change) == (two.legs[0].market, -WAD)
    assert plan.projected.legs[1] == two.legs[1]
    assert not plan.is_partial


def test_of_an_account_that_is_low_the_largest_leg_is_reduced() -> None:
    """Where the rule is about all of it."""
    two = told(a_position(leg_at("1", "2000"), leg_at("-2", "2000", "BTC"), margin=wad("700")))
    assert next(iter(quotes_wanted(perp_intent(two)))) == two.legs[1].market


def test_the_venues_keepers_are_part_of_the_cost() -> None:
    """Once for every order."""
    intent = perp_intent(LOW, perp_rule(actions=[REDUCE]))
    cheap, dear = (planned(intent, execution_fee=Wei(fee))[0].cost.gas for fee in (0, 10**16))
    assert dear - cheap == 20 * USD


def test_a_resting_stop_does_not_keep_a_rule_from_acting() -> None:
    """It waits for a price; the rule may be about margin."""
    assert isinstance(decided(replace(LOW, orders=(resting(),)), perp_rule()), PerpIntent)


@pytest.mark.parametrize(
    ("size", "ratio", "kept"),
    [(100, "0.2", True), (90, "0.2", True), (89, "0.2", False), (111, "0.2", False), (100, "0.1999", False)],
)
def test_a_promise_bounds_size_on_both_sides_and_the_ratio(size: int, ratio: str, *, kept: bool) -> None:
    """A hedge must neither fall short nor overshoot."""
    leg = leg_at(f"-{size}", "2000")
    position = a_position(leg, margin=size * 2000 * wad(ratio))
    assert PerpPromise("", Wad(wad("0.2")), leg.market, 90 * WAD, 110 * WAD).is_met(position) is kept


def test_a_position_that_was_turned_round_breaks_the_promise() -> None:
    """Liquidated in part before the trade was mined, a short that was bought back whole is a long."""
    position = a_position(leg_at("1", "2000"), margin=2000 * WAD)
    promise = PerpPromise("", Wad(0), position.legs[0].market, 0, 2 * WAD, is_long=False)
    assert not promise.is_met(position)
    assert replace(promise, is_long=True).is_met(position)


@given(positions(), st.integers(1, 30), st.integers(0, 200))
def test_after_a_sufficient_plan_the_same_rule_rests(position: PerpPosition, above: int, cost_bps: int) -> None:
    """The property that keeps it from flapping: the projected position is past the trigger, on the safe side."""
    now = perps.margin_ratio(position)
    assume(0 < now < 10 * WAD)
    bound, goal = Wad(now + 1), Wad(now + 1 + now * above // 100 + 10**15)
    rule = perp_rule(name="r", position=position.name)
    trigger, target = replace(rule.trigger, bound=bound), replace(rule.target, value=goal)  # type: ignore[type-var]
    intent = perp_intent(told(position), replace(rule, trigger=trigger, target=target))
    quotes = {leg.market: quote(leg, -leg.size, cost_bps) for leg in position.held}
    found = perp_plans(intent, perp_terms(intent.perp, held="100000", quotes=quotes))
    for plan in found if not isinstance(found, Hold) else ():
        assert plan.is_partial or perps.margin_ratio(plan.projected) >= goal > bound
        assert plan.postcondition.is_met(plan.projected)
        assert sum(isinstance(s.move, Trade) for s in plan.steps) <= 1


@given(positions(), st.integers(2, 60), st.integers(0, 200))
def test_a_sufficient_plan_to_a_leverage_reaches_that_leverage(position: PerpPosition, tenths: int, cost: int) -> None:
    """However the two are rounded: what a plan promises as a margin ratio is the leverage that the owner wrote."""
    goal = tenths * WAD // 10
    assume(goal < perps.leverage(position) < 100 * WAD)
    target = Target(perp_metrics.LEVERAGE, goal)
    rule = perp_rule(perp_metrics.LEVERAGE, "0.01", target, name="r", position=position.name)
    rule = replace(rule, trigger=replace(rule.trigger, bound=goal))
    intent = perp_intent(told(position), rule)
    quotes = {leg.market: quote(leg, -leg.size, cost) for leg in position.held}
    found = perp_plans(intent, perp_terms(intent.perp, held="100000", quotes=quotes))
    for plan in found if not isinstance(found, Hold) else ():
        assert plan.is_partial or perps.leverage(plan.projected) <= goal
        assert plan.postcondition.is_met(plan.projected)


@given(positions(), st.integers(100, 10**7), st.integers(100, 10**7))
def test_no_plan_moves_more_than_its_limits(position: PerpPosition, once: int, today: int) -> None:
    """At once and in a day, whatever the prices."""
    assume(position.held and perps.margin_ratio(position) < 10 * WAD)
    caps = limits(per_tx=str(once), per_day=str(today + 1))
    rule = perp_rule(bound="10", to="20", actions=[ADD, REDUCE, CLOSE], limits=caps)
    found = decided(told(position), rule, memory=Memory(spent_today={"margin": Usd(USD)}))
    assume(isinstance(found, PerpIntent))
    assert isinstance(found, PerpIntent)
    plans = perp_plans(found, perp_terms(position, held="10000"))
    for plan in plans if not isinstance(plans, Hold) else ():
        assert all(step.spend <= once * USD + 1 for step in plan.steps)
        assert plan.spend <= today * USD + len(plan.steps)


@given(st.integers(0, 10**30), st.integers(1, 10**24), st.integers(0, 18))
def test_collateral_is_valued_from_above(amount: int, price: int, decimals: int) -> None:
    """What is spent is never told too low."""
    position = a_position(collateral_price=price, collateral_decimals=decimals)
    assert value_of(position, amount) * WAD * 10**decimals >= amount * price * USD


@given(st.integers(1, 10**30), st.integers(1, 2000))
def test_a_bound_is_never_wider_than_the_slippage(index: int, slippage: int) -> None:
    """Rounded against the counterparty."""
    leg = replace(leg_at("1", "1"), index_price=index)
    assert worst_price(leg, 1, Bps(slippage)) * BPS <= index * (BPS + slippage)
    assert worst_price(leg, -1, Bps(slippage)) * BPS >= index * (BPS - slippage)


def test_a_rollups_toll_is_in_a_plans_own_cost() -> None:
    """A call each: what the parent chain is paid counts as gas does."""
    of = short()
    terms = perp_terms(of, toll=Wei(10**15))
    steps = [PerpStep(AllowMargin(of.collateral, Amount(1)), Usd(0))] * 3
    free = gas_cost(steps, replace(terms, toll=Wei(0)))
    assert gas_cost(steps, terms) - free == 3 * 10**15 * terms.native_price // 10**18
