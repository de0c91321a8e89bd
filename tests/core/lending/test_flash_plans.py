"""A rescue with a loan of the same transaction: exact, enough at the worst price, never more than is there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import (
    at,
    holding,
    intent,
    limits,
    loop,
    position,
    quoted,
    rule,
    state,
    terms,
    to_ltv,
    units,
    usd,
    wad,
    wallet,
)
from core_strategies import worlds
from hypothesis import HealthCheck, given, settings

from keeper.core.decide import Hold
from keeper.core.lending import figures as lending
from keeper.core.lending.actions import DELEVERAGE
from keeper.core.lending.actions.flash import BY_LOAN
from keeper.core.lending.actions.rescues import full_repayment
from keeper.core.lending.metrics import CLOSED, meets
from keeper.core.lending.moves import Approve, Flash, Repay
from keeper.core.lending.plan import Allowances, Plan, plans
from keeper.core.lending.proposals import ATOMIC_FLOOR, LoanOffer, Means, PlanTerms
from keeper.core.lending.quotes import Quotes
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.rules import Rule
from keeper.core.snapshot import LendingPosition, Wallet
from keeper.core.units import BPS, INFINITE, WAD, Address, Amount

PLENTY = {at(s): Amount(10**30) for s in ("WETH", "USDC", "DAI", "WBTC", "EURC")}
SELL = "sell WETH to repay USDC"
ONLY = (DELEVERAGE,)


def lent(there: dict[Address, Amount] | None = None, **changes: object) -> PlanTerms:
    return terms(offers=(LoanOffer("lender", PLENTY if there is None else there),), **changes)


def ways(
    of: LendingPosition,
    by: Rule | None = None,
    on: PlanTerms | None = None,
    *,
    held: Wallet | None = None,
    cost_bps: int = 10,
    depth: dict[Address, int] | None = None,
) -> tuple[Plan, ...] | Hold:
    wanted = intent(of, by or rule(actions=ONLY))
    now = state(wanted, held)
    return plans(wanted, now, quoted(wanted, now, on or lent(), cost_bps, depth), {})


def by_loan(found: tuple[Plan, ...] | Hold) -> Plan:
    assert not isinstance(found, Hold), found
    return next(p for p in found if BY_LOAN in p.label)


def the_loan(plan: Plan) -> Flash:
    (found,) = (s.move for s in plan.steps if isinstance(s.move, Flash))
    return found


def at_health(health: str) -> LendingPosition:
    """A hundred ether against 152,000 dollars, as far from liquidation as named."""
    price = wad(health) * 152_000 * BPS * 10**8 // (100 * 8300 * WAD) + 1
    return position(holding("WETH", 100, price=str(price / 10**8)), holding("USDC", 0, 152_000), holding("DAI"))


@pytest.mark.parametrize("health", ["1.15", "1.10", "1.05", "1.016", "0.985"])
def test_one_transaction_reaches_the_target_at_any_health(health: str) -> None:
    """Below 1 as well: the debt is repaid before collateral leaves."""
    found = ways(at_health(health))
    assert not isinstance(found, Hold)
    plan = found[0]
    assert [type(s.move) for s in plan.steps] == [Approve, Flash]
    assert not plan.is_partial
    assert plan.projected.health_factor >= wad("1.60")
    assert plan.projected.health_factor < wad("1.602")
    assert plan.steps[0].move == Approve(at("WETH"), "lender", the_loan(plan).sold)


def test_with_the_owner_s_key_at_hand_it_is_exactly_one_call_and_an_approval_before_it_is_the_fallback() -> None:
    """For a token that takes no permit."""
    offer = LoanOffer("lender", PLENTY, takes_permits=True)
    found = ways(at_health("1.05"), on=terms(offers=(offer,)))
    assert not isinstance(found, Hold)
    assert [type(s.move) for s in found[0].steps] == [Flash]
    assert the_loan(found[0]).by_permit
    assert [type(s.move) for s in found[1].steps] == [Approve, Flash]
    assert not the_loan(found[1]).by_permit


def bundled(found: PlanTerms) -> PlanTerms:
    """The same answers, of pools that sell within a bundle alone."""
    return found.with_quotes(Quotes(tuple(replace(q, in_bundle=True) for q in found.quotes.answers)))


def test_what_sells_within_a_bundle_alone_serves_no_wallet() -> None:
    """Neither rounds, nor a loan whose account trades by itself: these are planned without it."""
    of, by = at_health("1.05"), rule(actions=ONLY)
    wanted = intent(of, by)
    now = state(wanted)
    by_hands = plans(wanted, now, bundled(quoted(wanted, now, lent(), 10)), {})
    assert not isinstance(by_hands, Hold)
    assert all(BY_LOAN in p.label for p in by_hands)
    itself = terms(offers=(LoanOffer("lender", PLENTY, by_wallet=True),))
    alone = plans(wanted, now, bundled(quoted(wanted, now, itself, 10)), {})
    assert isinstance(alone, Hold)
    assert alone.reason is Reason.POOL_TOO_THIN


def test_near_liquidation_rounds_are_the_fallback() -> None:
    """Where they go at all: they are tried when the loan's rehearsal does not work."""
    found = ways(at_health("1.10"))
    assert not isinstance(found, Hold)
    assert [BY_LOAN in p.label for p in found][:2] == [True, False]


def test_below_liquidation_rounds_cannot_help() -> None:
    """What only a loan can do is refused by name without one."""
    alone = ways(at_health("0.985"), on=terms())
    assert isinstance(alone, Hold)
    assert alone.reason is Reason.FLOOR_TOO_NEAR


def test_the_cheaper_way_is_taken_and_the_other_stands_as_dearer() -> None:
    """One round from far away, with the market's own calls, costs less gas than a bundle of all."""
    of = position(holding("WETH", 100), holding("USDC", 0, 101_000), holding("DAI"))
    mild = rule(below="1.70", to="1.65", actions=ONLY, limits=limits(slippage=100))
    dear = lent(fee_per_gas=10**12)
    found = ways(of, replace(mild, trigger=rule(below="1.70").trigger), dear)
    assert not isinstance(found, Hold)
    costs = {p.label: p.cost.total for p in found}
    assert found[0].cost.total == min(costs.values())
    assert {r.reason for r in found[0].rejected if r.label != found[0].label} == {Reason.DEARER}


def test_a_close_leaves_no_debt_and_has_interest_ready() -> None:
    """Borrowed is a hair more than is owed now; what is not needed comes back."""
    plan = by_loan(ways(at_health("1.05"), rule(target=CLOSED, actions=ONLY)))
    assert plan.projected.debt_value == 0
    assert plan.projected.health_factor >= INFINITE
    assert the_loan(plan).bought == full_repayment(units("USDC", 152_000))


def test_a_target_of_ltv_is_met() -> None:
    """The solver serves any target."""
    plan = by_loan(ways(at_health("1.05"), rule(to=to_ltv(wad("0.50")), actions=ONLY)))
    assert lending.current_ltv(plan.projected) <= wad("0.50")


@pytest.mark.parametrize(
    ("there", "reason"),
    [({}, Reason.LENDER_SHORT), ({at("USDC"): Amount(0)}, Reason.LENDER_SHORT)],
)
def test_a_lender_with_nothing_is_refused_by_name(there: dict[Address, Amount], reason: Reason) -> None:
    """Its share of the reasons stands beside those of the rounds."""
    found = ways(at_health("1.10"), on=lent(there))
    assert not isinstance(found, Hold)
    assert all(BY_LOAN not in p.label for p in found)
    assert reason in {r.reason for r in found[0].rejected}


def test_a_lender_with_little_gives_what_it_has() -> None:
    """A part helps, and is marked as one."""
    plan = by_loan(ways(at_health("1.05"), on=lent({at("USDC"): units("USDC", 20_000)})))
    assert plan.is_partial
    assert the_loan(plan).bought == units("USDC", 20_000)
    assert plan.projected.health_factor > plan.before.health_factor


def test_a_pool_that_is_too_thin_refuses_the_loan_too() -> None:
    """The price is bounded by the oracle's, whoever lends."""
    found = ways(at_health("0.985"), cost_bps=3_000)
    assert isinstance(found, Hold)
    assert found.reason is Reason.POOL_TOO_THIN or "trades within" in found.detail


def test_a_limit_of_a_transaction_bounds_what_leaves() -> None:
    """All of it leaves in one."""
    plan = by_loan(ways(at_health("1.10"), rule(actions=ONLY, limits=limits(slippage=50, per_tx="30000"))))
    assert max(s.spend for s in plan.steps) <= usd(30_000)
    assert plan.is_partial


def test_collateral_that_is_paused_is_refused_with_the_market_s_reason() -> None:
    """Nothing of a paused reserve leaves, by any way."""
    of = position(holding("WETH", 100, is_paused=True), holding("USDC", 0, 152_000), holding("DAI"))
    found = ways(of, rule(below="2", to="2.5", actions=ONLY))
    assert isinstance(found, Hold)
    assert found.reason is Reason.RESERVE_UNAVAILABLE


def test_a_guardian_is_offered_no_loan() -> None:
    """The owner's supply is pulled for whoever begins the bundle: the owner."""
    found = ways(at_health("1.10"), on=lent(signer_is_owner=False))
    assert isinstance(found, Hold)
    assert found.reason is Reason.NOT_ALLOWED_FOR_GUARDIAN


def test_a_pair_is_traded_once_whichever_way() -> None:
    """What the pools quoted is used up: no plan has both ways for the same pair."""
    found = ways(at_health("1.05"), on=lent({at("USDC"): units("USDC", 20_000)}), held=wallet(USDC=1))
    assert not isinstance(found, Hold)
    for plan in found:
        traded = [part.removesuffix(BY_LOAN) for part in plan.label.split(", then ")]
        assert len(traded) == len(set(traded)), plan.label


def test_several_debts_are_closed_one_loan_each() -> None:
    """Each of them repaid, nothing left."""
    of = position(holding("WETH", 100), holding("USDC", 0, 60_000), holding("DAI", 0, 50_000))
    found = ways(of, rule(below="3", target=CLOSED, actions=ONLY))
    assert not isinstance(found, Hold)
    assert found[0].projected.debt_value == 0


def test_what_is_owed_in_eight_decimals_is_repaid_to_the_unit() -> None:
    """A dear asset has few units: the sale is rounded for the owner."""
    of = position(holding("WETH", 100), holding("WBTC", 0, "2.4"), holding("USDC"))
    plan = by_loan(ways(of, rule(below="2", to="2.00", actions=ONLY)))
    assert plan.projected.health_factor >= wad("2.00")


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_whatever_the_world_a_loan_keeps_its_word(world: tuple[LendingIntent, Means, PlanTerms, Allowances]) -> None:
    """Replayed at the worst price that is allowed: the promise holds, no more leaves than is there, no debt below 0."""
    wanted, now, on, allowances = world
    found = plans(wanted, now, replace(on, offers=(LoanOffer("lender", PLENTY),)), allowances)
    if isinstance(found, Hold):
        return
    for plan in (p for p in found if any(isinstance(s.move, Flash) for s in p.steps)):
        assert on.signer_is_owner
        account, allowed = wanted.assessment.account, dict[Address, int]()
        for step in plan.steps:
            move = step.move
            if isinstance(move, Approve) and move.spender == "lender":
                allowed[move.asset] = move.amount
            if isinstance(move, Repay) or not isinstance(move, Flash):
                continue
            sell, buy = move.route.tokens[0], move.route.tokens[-1]
            assert allowed.pop(sell) == move.sold <= account.of(sell).supplied
            assert move.bought > 0
            bound = wanted.rule.limits.worst
            assert move.sold <= lending.sale_cost(account.of(sell), account.of(buy), move.bought, bound) + 1
            assert step.health_after >= ATOMIC_FLOOR
        assert not allowed
        if plan.label.endswith(BY_LOAN) and ", then " not in plan.label:
            loan = the_loan(plan)
            sell, buy = loan.route.tokens[0], loan.route.tokens[-1]
            owed = account.of(buy).borrowed
            account = lending.after(account, buy, debt=-min(owed, loan.bought))
            account = lending.after(account, sell, supply=-loan.sold)
            figures = lending.figures(account)
            assert plan.postcondition.is_met(figures)
            if not plan.is_partial:
                assert meets(wanted.target, wanted.assessment.position)(figures)
            if wanted.target.is_close and not plan.is_partial:
                assert account.of(buy).borrowed == 0
            cap = wanted.rule.limits.max_spend_per_tx
            assert cap is None or max(s.spend for s in plan.steps) <= cap


def test_terms_without_a_lender_plan_as_before() -> None:
    """No network is forced to have one."""
    found = ways(loop(), on=terms())
    assert not isinstance(found, Hold)
    assert all(BY_LOAN not in p.label for p in found)
    assert all(not isinstance(s.move, Flash) for p in found for s in p.steps)


def of_two(first: int, second: int, *, by_wallet: bool = False) -> PlanTerms:
    """Two lenders, each with so many dollars."""
    has = [{at("USDC"): Amount(dollars * 10**6)} for dollars in (first, second)]
    offers = tuple(LoanOffer(name, there, by_wallet=by_wallet) for name, there in zip(("a", "b"), has, strict=True))
    return terms(offers=offers)


@pytest.mark.parametrize("by_wallet", [False, True])
def test_a_loan_that_no_lender_has_whole_is_of_several(by_wallet: bool) -> None:
    """The largest first, the other the rest: the same sale in two parts, each within the bound of the whole."""
    whole, found = (
        the_loan(by_loan(ways(at_health("1.05")))),
        ways(at_health("1.05"), on=of_two(40_000, 80_000, by_wallet=by_wallet)),
    )
    plan = by_loan(found)
    loans = [s.move for s in plan.steps if isinstance(s.move, Flash)]
    assert [loan.lender for loan in loans] == ["b", "a"]
    assert loans[0].bought == 80_000 * 10**6
    assert not plan.is_partial
    assert sum(loan.bought for loan in loans) == whole.bought
    assert sum(loan.sold for loan in loans) == whole.sold
    healths = [s.health_after for s in plan.steps if isinstance(s.move, Flash)]
    assert healths == sorted(healths)


def test_a_lender_that_has_enough_lends_alone() -> None:
    """One loan is cheaper than two."""
    found = ways(at_health("1.05"), on=of_two(40_000, 1_000_000))
    assert not isinstance(found, Hold)
    assert all(len([s for s in p.steps if isinstance(s.move, Flash)]) <= 1 for p in found)


def test_lenders_that_have_too_little_together_lend_what_there_is() -> None:
    """It is a part, and said to be."""
    found = ways(at_health("1.016"), on=of_two(20_000, 30_000))
    plan = by_loan(found)
    assert plan.is_partial
    assert sum(s.move.bought for s in plan.steps if isinstance(s.move, Flash)) == 50_000 * 10**6
