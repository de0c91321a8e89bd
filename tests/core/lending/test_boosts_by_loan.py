"""A boost with a loan of the same transaction: to the target at the worst price, within what lender and market have."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import (
    BLOCK,
    above,
    at,
    holding,
    intent,
    loop,
    position,
    quoted,
    rule,
    safety,
    state,
    terms,
    units,
    usd,
    wad,
    wallet,
)

from keeper.core.armed.bounds import Bounds, OutOfBoundsError
from keeper.core.armed.loan_bounds import project
from keeper.core.decide import Hold
from keeper.core.lending import actions
from keeper.core.lending import figures as lending
from keeper.core.lending.actions.flash import BY_LOAN
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.metrics import HEALTH_FACTOR
from keeper.core.lending.moves import Approve, FlashBoost
from keeper.core.lending.plan import Plan, plans
from keeper.core.lending.proposals import LoanOffer
from keeper.core.reasons import Reason
from keeper.core.rules import Rule
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Amount, Usd, Wad

RICH = loop(dollars="6000")
PLENTY = {at("USDC"): units("USDC", 10_000_000)}
OFFER = LoanOffer("lender", PLENTY, takes_permits=True, entrusted=True, held_to_raise=2)


def boost(bound: str = "2.40", to: str = "1.90", **changes: object) -> Rule:
    trigger = above(HEALTH_FACTOR, wad(bound))
    return rule(actions=(actions.LEVERAGE_UP,), to=to, trigger=trigger, **changes)  # type: ignore[arg-type]


def ways(
    offer: LoanOffer = OFFER,
    of: LendingPosition = RICH,
    by: Rule | None = None,
    left: Usd | None = None,
    **more: object,
) -> tuple[Plan, ...] | Hold:
    wanted = intent(of, by or boost(), left)
    now = state(wanted)
    return plans(wanted, now, quoted(wanted, now, terms(offers=(offer,), **more), 10), {})


def by_loan(found: tuple[Plan, ...] | Hold) -> list[Plan]:
    assert not isinstance(found, Hold), found
    return [p for p in found if BY_LOAN in p.label]


def the_boost(plan: Plan) -> FlashBoost:
    (found,) = (m for m in plan.moves if isinstance(m, FlashBoost))
    return found


def why_not(found: tuple[Plan, ...] | Hold) -> set[Reason]:
    """By why none was by a loan: rounds were planned all the same."""
    assert not by_loan(found)
    assert not isinstance(found, Hold)
    return {r.reason for r in found[0].rejected if BY_LOAN in r.label}


def test_one_call_reaches_the_target_and_not_below_it() -> None:
    """Cheaper than rounds of a plain account: it goes first, rounds and the owner's own calls after it."""
    found = ways()
    assert not isinstance(found, Hold)
    plan, move = found[0], the_boost(found[0])
    assert [type(m) for m in plan.moves] == [FlashBoost]
    assert move.by_permit
    assert wad("1.90") <= plan.projected.health_factor < wad("1.91")
    assert plan.postcondition.target == plan.intent.target
    after = lending.after(plan.intent.assessment.account, at("WETH"), supply=move.bought)
    assert lending.figures(lending.after(after, at("USDC"), debt=move.sold)) == plan.projected
    assert move.held == 2 * move.sold
    assert any(BY_LOAN not in p.label for p in found)


def test_without_words_the_owner_lets_the_agent_act_before_and_no_more_after() -> None:
    """In a batch, or where no key is at hand; what stands already is used, and stays."""
    plain = by_loan(ways(replace(OFFER, takes_permits=False)))[0]
    assert [type(m) for m in plain.moves] == [Approve, FlashBoost, Approve]
    assert [m.amount > 0 for m in plain.moves if isinstance(m, Approve)] == [True, False]
    assert [type(m) for m in by_loan(ways(replace(OFFER, takes_permits=False, stands=True)))[0].moves] == [FlashBoost]


def test_where_nobody_may_borrow_for_the_owner_it_goes_in_rounds() -> None:
    """As before, and no word is lost about a loan."""
    assert why_not(ways(replace(OFFER, held_to_raise=0))) == set()


@pytest.mark.parametrize("times", [1, 2])
def test_no_more_is_lent_than_the_lender_has_beside_what_it_lends_the_owner(times: int) -> None:
    """A market that is the lender must have it twice."""
    there = units("USDC", 1_000)
    plan = by_loan(ways(replace(OFFER, there={at("USDC"): there}, held_to_raise=times)))[0]
    assert the_boost(plan).sold <= there // times
    assert the_boost(plan).sold > there // times * 99 // 100
    assert plan.projected.health_factor > wad("1.91")


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (replace(OFFER, there={}), Reason.LENDER_SHORT),
        (replace(OFFER, fees={at("USDC"): LoanFee(Amount(5), Wad(0))}), Reason.LENDER_DEAR),
    ],
)
def test_a_lender_that_has_nothing_or_asks_a_fee_is_refused_by_name(offer: LoanOffer, reason: Reason) -> None:
    """And the boost goes in rounds."""
    assert why_not(ways(offer)) == {reason}


def test_the_market_s_room_the_least_debt_and_the_owner_s_limits_hold() -> None:
    """Of the debt and of the collateral; of the day and of one transaction."""
    lent = position(holding("WETH", 10), holding("USDC", 0, 6_000, borrow_cap=100_500), holding("DAI"))
    assert units("USDC", 495) < the_boost(by_loan(ways(of=lent))[0]).sold <= units("USDC", 500)
    least = replace(
        RICH, holdings=tuple(replace(h, least_debt=Amount(10**13 * bool(h.borrowed))) for h in RICH.holdings)
    )
    assert isinstance(found := ways(of=least), Hold)
    assert found.reason is Reason.NOTHING_HELPS
    assert by_loan(ways(left=usd(1_000)))[0].spend <= usd(1_000) + 1
    one = boost()
    capped = by_loan(ways(by=replace(one, limits=replace(one.limits, max_spend_per_tx=usd(700)))))
    assert usd(690) < capped[0].spend <= usd(700) + 1


def test_it_never_ends_below_the_owner_s_floor() -> None:
    """It falls once, and the floor holds at its end: with a floor above the target there is no such boost."""
    high = replace(safety(), health_floor=wad("1.95"))
    found = ways(safety=high)
    assert isinstance(found, Hold) or why_not(found) == {Reason.FLOOR_TOO_NEAR}
    assert by_loan(ways(safety=replace(high, health_floor=wad("1.85"))))


def test_it_never_borrows_beyond_what_is_supplied_by_then_carries() -> None:
    """A target under the market's loan to value is refused: its debt could not be raised."""
    found = ways(of=loop(dollars="2000"), by=boost(bound="1.5", to="1.03"))
    assert isinstance(found, Hold) or why_not(found) == {Reason.FLOOR_TOO_NEAR}
    assert by_loan(ways(of=loop(dollars="2000"), by=boost(bound="1.5", to="1.12")))


def test_made_ready_beforehand_it_comes_to_the_same_on_the_same_account_and_never_below_the_floor() -> None:
    """It is refused where the floor, or the market's room, would not bear it any more."""
    plan = ways()[0]  # type: ignore[index]
    bounds = Bounds(BLOCK, RICH, {h.asset: (h.price.answer, h.price.answer) for h in RICH.holdings})
    assert project(plan, bounds, plan.intent, wallet(), safety().health_floor) == plan.projected
    with pytest.raises(OutOfBoundsError, match="below the floor"):
        project(plan, bounds, plan.intent, wallet(), wad("1.95"))
    scarce = tuple(replace(h, room=replace(h.room, borrow=Amount(the_boost(plan).sold - 1))) for h in RICH.holdings)
    assessed = replace(plan.intent.assessment, position=replace(RICH, holdings=scarce))
    with pytest.raises(OutOfBoundsError, match="more than can be borrowed"):
        project(plan, bounds, replace(plan.intent, assessment=assessed), wallet(), safety().health_floor)
