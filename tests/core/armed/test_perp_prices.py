"""Perpetual positions at prices that have not come: what moves them, what fits, and what was foretold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from core_builders import BLOCK, wad
from hypothesis import given, settings
from hypothesis import strategies as st
from perp_builders import long, perp_intent, perp_rule, perp_terms, quote, short, told
from perp_strategies import cross, isolated

from keeper.core.armed.accrual import Answered
from keeper.core.armed.bounds import Bounds, OutOfBoundsError, price_bounds
from keeper.core.armed.perp_bounds import mark_bounds, project
from keeper.core.armed.perp_prices import PERPS, at_prices, carried_on, differs, followed, scenarios
from keeper.core.armed.scenarios import PPM, fires_at
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.candidates import perp_plans
from keeper.core.perp.margin import margin_ratio
from keeper.core.perp.metrics import closed
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpIntent
from keeper.core.units import USD, Bps
from keeper.venues.perp_v2.marks import MedianMark


@dataclass(frozen=True)
class Follows:
    """A venue whose mark is the index."""

    def mark(self, index_price: int) -> int:
        return index_price


def moving(position: PerpPosition) -> PerpPosition:
    """The position at a venue whose marks follow, with prices of whole 10^-8 dollars as oracles have them."""
    legs = []
    for leg in position.legs:
        answer = max(1, leg.oracle.answer)
        price = answer * 10**10
        legs.append(
            replace(
                leg, index_price=price, mark_price=price, oracle=replace(leg.oracle, answer=answer), mark_rule=Follows()
            )
        )
    return told(replace(position, legs=tuple(legs)))


REDUCE, MARGIN = (perp_actions.REDUCE,), (perp_actions.ADD_MARGIN,)


@given(cross())
def test_at_its_own_prices_a_position_is_what_it_is(position: PerpPosition) -> None:
    """Nothing is reckoned anew that the venue did not say."""
    here = moving(position)
    assert at_prices(here, PERPS.prices(here)) == here


@settings(max_examples=60)
@given(cross(), st.integers(500, 3000))
def test_a_rule_fires_at_the_factor_and_not_one_step_before(position: PerpPosition, bound: int) -> None:
    """For every scenario, as for loans."""
    here, rule = moving(position), perp_rule(bound=f"0.{bound:04d}")
    for scenario in scenarios(here, rule):
        factor = fires_at(PERPS, here, rule, scenario, Bps(2000))
        if factor is None:
            continue
        ratios = [margin_ratio(at_prices(here, scenario.prices(PERPS.prices(here), f))) for f in (factor, factor + 1)]
        assert rule.trigger.fires_at(ratios[0])
        assert factor == PPM or not rule.trigger.fires_at(ratios[1])


@given(isolated())
def test_a_venue_without_a_price_to_be_put_anywhere_has_no_scenario(position: PerpPosition) -> None:
    """GMX v2's keepers bring signed prices: its legs have no rule for the mark."""
    for rule in (perp_rule(), perp_rule(perp_metrics.STOP_LOSS, "2000", closed(), market="ETH")):
        assert scenarios(position, rule) == ()


@given(st.integers(1, 10**30), st.integers(1, 10**30), st.integers(-(10**29), 10**30), st.lists(st.integers(1, 10**30)))
def test_a_mark_of_three_never_falls_while_the_index_rises(
    market: int, average: int, premium: int, indexes: list[int]
) -> None:
    """So that the factor at which a rule fires is one; and it never leaves what the market says."""
    rule = MedianMark(market, average, premium)
    marks = [rule.mark(index) for index in sorted(indexes)]
    assert marks == sorted(marks)
    assert all(min(market, average) <= mark <= max(market, average) for mark in marks)


# --- any plan --------------------------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(
    st.sampled_from((short, long)),
    st.integers(200, 50_000),
    st.sampled_from((REDUCE, MARGIN, (*MARGIN, *REDUCE))),
    st.integers(-200, 200),
)
def test_what_fits_keeps_its_promise_on_the_fresh_state(of: Any, cents: int, actions: Any, moved: int) -> None:
    """Whatever the price came to: the figures are those of the moves on the fresh account, and meet the promise."""
    here = moving(of(margin=f"{500 + cents / 100:.2f}"))
    rule = perp_rule(bound="0.9", to="0.95", actions=actions)
    wanted = perp_intent(here, rule)
    found = perp_plans(wanted, perp_terms(here, "1000000"))
    assert isinstance(found, tuple)
    prices = {market: max(1, price * (10_000 + moved) // 10_000) for market, price in PERPS.prices(here).items()}
    there = at_prices(here, prices)
    now, bounds = perp_intent(there, rule), Bounds(BLOCK, here, price_bounds(PERPS.prices(here), prices, Bps(12)))
    quotes = {leg.market: (quote(leg, -leg.size),) for leg in there.legs}
    marks, wallet = mark_bounds(here, there, Bps(12)), perp_terms(here, "1000000").wallet
    for plan in found:
        try:
            after = project(plan, bounds, marks, now, wallet, quotes)
        except OutOfBoundsError:
            continue
        assert plan.postcondition.is_met(after)
        assert after.block == there.block


def made(actions: Any = REDUCE, price: str = "2250") -> tuple[PerpIntent, Any]:
    wanted = perp_intent(moving(short(price=price)), perp_rule(actions=actions))
    found = perp_plans(wanted, perp_terms(wanted.perp, "5000"))
    assert isinstance(found, tuple)
    return wanted, found[0]


def fits(wanted: PerpIntent, plan: Any, now: PerpIntent, price_bps: int = 0, held: str = "5000") -> PerpPosition:
    here, there = wanted.perp, now.perp
    prices = price_bounds(PERPS.prices(here), PERPS.prices(here), Bps(50))
    quotes = {
        leg.market: (quote(leg, -leg.size, price=leg.mark_price * (10_000 + price_bps) // 10_000),)
        for leg in there.held
    }
    marks = mark_bounds(here, here, Bps(50))
    return project(plan, Bounds(BLOCK, here, prices), marks, now, perp_terms(here, held).wallet, quotes)


@pytest.mark.parametrize("actions", [REDUCE, MARGIN])
def test_a_plan_fits_the_very_state_it_was_made_on(actions: Any) -> None:
    """Nothing moved."""
    wanted, plan = made(actions)
    assert plan.postcondition.is_met(fits(wanted, plan, wanted))


def test_a_market_beyond_the_plans_own_bound_does_not_fit() -> None:
    """It would revert."""
    wanted, plan = made()
    with pytest.raises(OutOfBoundsError, match="trades at"):
        fits(wanted, plan, wanted, price_bps=80)


def test_a_looser_bound_than_one_of_this_block_does_not_fit() -> None:
    """The market ran away in our favour since: what the plan would bear is room for others to take."""
    wanted, plan = made()
    with pytest.raises(OutOfBoundsError, match="trades at"):
        fits(wanted, plan, wanted, price_bps=-80)


def test_a_wallet_emptied_meanwhile_does_not_fit() -> None:
    """What is to be paid in has to be there."""
    wanted, plan = made(MARGIN)
    with pytest.raises(OutOfBoundsError, match="lacks"):
        fits(wanted, plan, wanted, held="1")


def test_another_rule_or_target_does_not_fit() -> None:
    """Limits were changed, or another rule fired."""
    wanted, plan = made()
    other = replace(wanted, rule=replace(wanted.rule, name="other"))
    with pytest.raises(OutOfBoundsError, match="not the one"):
        fits(wanted, plan, other)


# --- foretold --------------------------------------------------------------------------------------------------------


def test_an_event_moves_the_index_and_what_follows_from_it() -> None:
    """The oracle's new answer and time; the mark by the venue's rule; the figures are reckoned anew."""
    here = moving(short(price="2000"))
    (leg,) = here.legs
    block = replace(BLOCK, timestamp=BLOCK.timestamp + 12)
    then = carried_on(here, block, {leg.market: Answered(2100 * USD, 9, block.timestamp)})
    assert then.legs[0].index_price == then.legs[0].mark_price == wad("2100")
    assert then.legs[0].oracle.updated_at == block.timestamp
    assert then.block == block
    assert PERPS.is_same(here, then)


def test_a_mark_somewhere_else_than_foretold_is_said() -> None:
    """By more than the averages of a block move it."""
    here = moving(short(price="2000"))
    near, far = (told(replace(here, legs=(replace(here.legs[0], mark_price=wad(p)),))) for p in ("2001", "2010"))
    assert differs(here, near) is None
    assert "mark" in (differs(here, far) or "")


@given(st.integers(1_000, 3_000), st.integers(1, 10**6), st.sampled_from((1, -1)))
def test_a_market_that_followed_costs_what_it_did_before(price: int, impact: int, side: int) -> None:
    """As a share; rounded against us."""
    now = moving(short(price="2000")).legs[0]
    then = at_prices(moving(short(price="2000")), {now.market: price * USD}).legs[0]
    change = side * now.size
    asked = quote(now, change, impact=impact)
    found = followed(asked, now, then)
    exact = asked.price * then.index_price
    assert (found.price * now.index_price >= exact) if change > 0 else (found.price * now.index_price <= exact)
    assert found.fee * now.index_price >= asked.fee * min(then.index_price, now.index_price)
