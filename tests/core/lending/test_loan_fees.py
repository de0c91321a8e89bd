"""Lenders that ask a fee: the sale pays it, its amounts are exact, and a dear one is left alone by name."""

from __future__ import annotations

import pytest
from core_builders import at, holding, limits, position, rule, terms, units, usd, wad
from hypothesis import given, settings
from hypothesis import strategies as st
from test_flash_plans import ONLY, PLENTY, at_health, by_loan, the_loan, ways

from keeper.core.decide import Hold
from keeper.core.lending import figures as lending
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.metrics import CLOSED
from keeper.core.lending.moves import Flash
from keeper.core.lending.proposals import LoanOffer, PlanTerms
from keeper.core.reasons import Reason
from keeper.core.units import BPS, WAD, Amount, Bps, Wad

NINE_BPS = LoanFee(Amount(0), Wad(9 * WAD // BPS))


def asking(fee: LoanFee, most: int = 50, *, name: str = "dear", there: int | None = None) -> LoanOffer:
    has = PLENTY if there is None else {at("USDC"): Amount(there)}
    return LoanOffer(name, has, fees=dict.fromkeys(PLENTY, fee), most_fee=Bps(most))


def with_lenders(*offers: LoanOffer) -> PlanTerms:
    return terms(offers=offers)


@pytest.mark.parametrize("health", ["1.15", "1.05", "0.985"])
def test_the_sale_pays_the_fee_and_the_target_is_still_reached(health: str) -> None:
    """What is repaid reaches the target; what is sold brings that and the fee, within the bound of slippage."""
    plan, free = by_loan(ways(at_health(health), on=with_lenders(asking(NINE_BPS)))), by_loan(ways(at_health(health)))
    loan, less = the_loan(plan), the_loan(free)
    assert not plan.is_partial
    assert wad("1.60") <= plan.projected.health_factor < wad("1.602")
    assert loan.fee == NINE_BPS.of(loan.bought) > 0
    assert loan.due == loan.bought + loan.fee == sum(part.bought for part in loan.parts)
    assert loan.sold > less.sold
    account = plan.intent.assessment.account
    sell, buy = account.of(loan.route.tokens[0]), account.of(loan.route.tokens[-1])
    assert loan.sold <= lending.sale_cost(sell, buy, loan.due, plan.intent.rule.limits.worst)
    assert plan.cost.trading > free.cost.trading


def test_whoever_lends_for_less_is_taken() -> None:
    """Fees are compared as all other costs are; who lends for nothing goes first, however they are listed."""
    free, cheap = LoanOffer("free", PLENTY), asking(LoanFee(Amount(0), Wad(WAD // BPS)), name="cheap")
    for offers in ((asking(NINE_BPS), cheap, free), (free, cheap, asking(NINE_BPS))):
        found = ways(at_health("0.985"), on=with_lenders(*offers))
        assert not isinstance(found, Hold)
        assert [the_loan(p).lender for p in found] == ["free", "cheap", "dear"]


def test_a_lender_that_asks_more_than_its_bound_is_left_alone_by_name() -> None:
    """The bound is the owner's; with none, nothing is paid."""
    for most in (0, 8):
        found = ways(at_health("0.985"), on=with_lenders(asking(NINE_BPS, most)))
        assert isinstance(found, Hold)
        assert found.reason is Reason.LENDER_DEAR or "most_fee_bps" in found.detail, found


def test_a_sum_that_is_asked_whatever_is_lent_is_paid_once() -> None:
    """A hundred dollars, for whatever is borrowed."""
    plan = by_loan(ways(at_health("1.05"), on=with_lenders(asking(LoanFee(units("USDC", 100), Wad(0))))))
    assert the_loan(plan).fee == units("USDC", 100)


def test_of_several_the_cheapest_lends_first_and_each_is_paid_its_own() -> None:
    """What the free one has, and the rest for a fee: the sale brings both loans and one fee."""
    free = LoanOffer("free", {at("USDC"): units("USDC", 40_000)})
    found = ways(at_health("1.05"), on=with_lenders(asking(NINE_BPS, there=90_000 * 10**6), free))
    plan = by_loan(found)
    loans = [s.move for s in plan.steps if isinstance(s.move, Flash)]
    assert [loan.lender for loan in loans] == ["free", "dear"]
    assert [loan.fee for loan in loans] == [0, NINE_BPS.of(loans[1].bought)]
    assert not plan.is_partial
    account = plan.intent.assessment.account
    sell, buy = account.of(loans[0].route.tokens[0]), account.of(loans[0].route.tokens[-1])
    for loan in loans:
        assert loan.sold <= lending.sale_cost(sell, buy, loan.due, plan.intent.rule.limits.worst) + 1


def test_a_close_pays_the_fee_too() -> None:
    """Nothing is owed at the end, to the market or the lender."""
    plan = by_loan(ways(at_health("1.05"), rule(target=CLOSED, actions=ONLY), with_lenders(asking(NINE_BPS))))
    assert plan.projected.debt_value == 0
    assert the_loan(plan).fee == NINE_BPS.of(the_loan(plan).bought)


def test_a_limit_of_a_transaction_covers_the_fee() -> None:
    """Dollars that leave are all that is sold."""
    tight = rule(actions=ONLY, limits=limits(slippage=50, per_tx="30000"))
    plan = by_loan(ways(at_health("1.10"), tight, with_lenders(asking(NINE_BPS))))
    assert max(s.spend for s in plan.steps) <= usd(30_000)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**9), st.integers(0, 60), st.integers(101, 155), st.sampled_from(["1.45", "1.6", "2.1"]),
    st.sampled_from(["USDC", "WBTC", "DAI"]), st.integers(10, 10**7),
)  # fmt: skip
def test_whatever_is_asked_the_amounts_balance(
    flat: int, bps: int, ratio: int, target: str, owed: str, there: int
) -> None:
    """Debts of 6, 8 and 18 decimals: what the sale brings is the loan and its fee, to the unit, from any lender."""
    dollars = 83 * 2_500 * 100 // ratio
    debt = {"USDC": str(dollars), "DAI": str(dollars), "WBTC": str(dollars / 60_000)}[owed]
    of = position(holding("WETH", 100, price="2500"), *(holding(s, 0, debt if s == owed else 0) for s in PLENTY_OF))
    offer = LoanOffer(
        "dear", {at(owed): units(owed, there)}, fees={at(owed): LoanFee(Amount(flat), Wad(bps * WAD // BPS))},
        most_fee=Bps(100),
    )  # fmt: skip
    found = ways(of, rule(below="3", to=target, actions=ONLY), terms(offers=(offer,)))
    if isinstance(found, Hold):
        return
    for plan in found:
        for loan in (s.move for s in plan.steps if isinstance(s.move, Flash)):
            assert loan.fee == offer.fee(at(owed), loan.bought) <= loan.bought * 100 // BPS
            assert loan.bought <= offer.there[at(owed)]
            assert sum(part.bought for part in loan.parts) == loan.due
            assert sum(part.sold for part in loan.parts) == loan.sold <= of.holding(at("WETH")).supplied
            if not plan.is_partial:
                assert plan.projected.health_factor >= wad(target)


PLENTY_OF = ("USDC", "WBTC", "DAI")
