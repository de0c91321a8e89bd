"""Whatever the position, the amounts of a loan balance: given back with its fee, nothing over in a hand, no equity lost
beyond what the plan says it costs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from core_builders import at, holding, intent, limits, position, quoted, rule, safety, state, terms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keeper.core.decide import Hold
from keeper.core.lending import figures as lending
from keeper.core.lending.actions import DELEVERAGE
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.metrics import CLOSED, meets
from keeper.core.lending.moves import Flash, loans
from keeper.core.lending.plan import Plan, plans
from keeper.core.lending.proposals import LoanOffer, PlanTerms
from keeper.core.lending.rules import LendingIntent
from keeper.core.units import BPS, USD, WAD, Amount, Bps, Wad

SOLD_MAY_BE, OWED_MAY_BE = ("WETH", "WBTC", "DAI", "USDC"), ("USDC", "DAI", "WBTC")
PRICE = {"WETH": 2_000, "WBTC": 60_000, "USDC": 1, "DAI": 1}


@dataclass(frozen=True)
class Posed:
    """A position in need, its lenders, and what pools cost."""

    intent: LendingIntent
    terms: PlanTerms
    cost_bps: int


@st.composite
def posed(draw: st.DrawFn) -> Posed:
    """One to four collaterals, one to three debts, of 6, 8 and 18 decimals, some of one asset; lenders short or not."""
    worth = {s: draw(st.just(0) | st.integers(500, 10**6)) for s in SOLD_MAY_BE}
    worth["WETH"] = worth["WETH"] or draw(st.integers(500, 10**6))
    debt_all = sum(worth.values()) * draw(st.integers(45, 82)) // 100
    shares = {s: draw(st.integers(0, 10)) for s in OWED_MAY_BE}
    shares["USDC"] = shares["USDC"] or 1
    owed = {s: debt_all * n // sum(shares.values()) for s, n in shares.items()}
    assets = dict.fromkeys((*SOLD_MAY_BE, *OWED_MAY_BE))
    of = position(*(
        holding(s, f"{worth.get(s, 0) / PRICE[s]:.6f}", f"{owed.get(s, 0) / PRICE[s]:.6f}", price=str(PRICE[s]))
        for s in assets
    ))  # fmt: skip
    target = draw(st.sampled_from(["1.30", "1.45", "1.60", "2.1", "close"]))
    goal = CLOSED if target == "close" else rule(to=target).target
    slippage = draw(st.sampled_from([30, 100, 400]))
    wanted = intent(of, rule(below="3.5", target=goal, actions=(DELEVERAGE,), limits=limits(slippage=slippage)))
    offers = tuple(
        LoanOffer(
            name,
            {at(s): Amount(draw(st.integers(0, 2 * 10**6)) * 10**6) for s in OWED_MAY_BE},
            takes_permits=draw(st.booleans()),
            fees={at(s): LoanFee(Amount(draw(st.integers(0, 10**4))), Wad(bps * WAD // BPS)) for s in OWED_MAY_BE}
            if bps
            else {},
            most_fee=Bps(60),
        )
        for name, bps in (("first", draw(st.sampled_from([0, 0, 5]))), ("second", draw(st.sampled_from([0, 9, 50]))))
    )
    on = terms(offers=offers, safety=safety(max_rounds=draw(st.integers(1, 10))))
    cost = draw(st.integers(0, slippage))
    return Posed(wanted, quoted(wanted, state(wanted), on, cost), cost)


def usd(plan: Plan, asset: str, amount: int) -> int:
    return plan.intent.assessment.position.holding(asset).usd_down(amount)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(posed())
def test_whatever_the_position_the_amounts_of_loans_balance(of: Posed) -> None:
    """Played at the price that pools quoted: each lender gets its loan and its fee out of the sale, the target is met
    by what is repaid, and what is lost against the oracle is no more than the plan's own figure.
    """
    found = plans(of.intent, state(of.intent), of.terms, {})
    if isinstance(found, Hold):
        return
    offers = {offer.lender: offer for offer in of.terms.offers}
    for plan in found:
        lent = loans(plan.moves)
        if not lent or any(not isinstance(s.move, Flash) and s.spend for s in plan.steps):
            continue
        account, lost, taken = of.intent.assessment.account, 0, Counter[tuple[str, str]]()
        for loan in lent:
            sell, buy = loan.route.tokens[0], loan.route.tokens[-1]
            offer = offers[loan.lender]
            taken[loan.lender, buy] += loan.bought
            assert loan.fee == offer.fee(buy, loan.bought)
            assert not offer.is_dear(buy, loan.bought)
            asked = lending.sale_cost(account.of(sell), account.of(buy), loan.due, Bps(of.cost_bps))
            assert asked <= loan.sold + 1, "what pools quoted brings the loan and its fee"
            assert sum(p.sold for p in loan.parts) == loan.sold
            assert sum(p.bought for p in loan.parts) == loan.due
            bound = of.intent.rule.limits.worst
            assert loan.sold <= lending.sale_cost(account.of(sell), account.of(buy), loan.due, bound) + 1
            repaid = min(loan.bought, account.of(buy).borrowed)
            brought = loan.due * loan.sold // max(1, asked)
            lost += usd(plan, sell, loan.sold) - usd(plan, buy, repaid + (brought - loan.fee - repaid))
            account = lending.after(lending.after(account, buy, debt=-repaid), sell, supply=-loan.sold)
        for (name, asset), amount in taken.items():
            most = offers[name].there[asset]  # type: ignore[index]
            assert amount <= most * len(lent), "no loan is of more than there is"
        figures = lending.figures(account)
        if not plan.is_partial:
            assert meets(of.intent.target, of.intent.assessment.position)(figures)
        assert plan.postcondition.is_met(figures, account.holdings)
        assert lost <= plan.cost.trading + (len(lent) + 1) * USD // 100, (lost, plan.cost)
