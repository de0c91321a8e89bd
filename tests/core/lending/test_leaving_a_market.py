"""Leaving a market: everything repaid first, then everything out; what cannot leave is named, and tried again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import holding, intent, position, quoted, rule, state, terms, wallet

from keeper.core.decide import Hold
from keeper.core.lending.actions import DELEVERAGE, REPAY
from keeper.core.lending.metrics import EXITED
from keeper.core.lending.moves import Repay, Withdraw
from keeper.core.lending.plan import Plan, plans
from keeper.core.lending.proposals import PlanTerms
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition, Wallet
from keeper.core.units import Usd


def ways(of: LendingPosition, on: PlanTerms | None = None, held: Wallet | None = None) -> tuple[Plan, ...] | Hold:
    wanted = intent(of, rule(below="9", target=EXITED, actions=(REPAY, DELEVERAGE)))
    now = state(wanted, held)
    return plans(wanted, now, quoted(wanted, now, on or terms()), {})


def test_everything_is_repaid_and_then_everything_taken_out() -> None:
    """The last steps are the withdrawals, one for each collateral."""
    of = position(holding("WETH", 10), holding("DAI", 1_000), holding("USDC", 0, 3_000))
    found = ways(of, held=wallet(USDC=4_000))
    assert not isinstance(found, Hold)
    plan = found[0]
    assert [s.move for s in plan.steps if isinstance(s.move, Withdraw)][-2:] == [
        Withdraw(of.holdings[0].asset, None),
        Withdraw(of.holdings[1].asset, None),
    ]
    assert any(isinstance(s.move, Repay) and s.move.is_all for s in plan.steps)
    assert (plan.projected.debt_value, plan.projected.collateral_value) == (0, 0)
    assert not plan.is_partial


def test_a_loan_without_debt_is_withdrawn_alone() -> None:
    """Nothing to repay, nothing to sell."""
    found = ways(position(holding("WETH", 10), holding("USDC")))
    assert not isinstance(found, Hold)
    assert [type(s.move) for s in found[0].steps] == [Withdraw]


def test_what_the_market_does_not_let_out_stays_and_is_named() -> None:
    """The rest is done; the plan is a part."""
    of = position(holding("WETH", 10), holding("DAI", 1_000, is_paused=True), holding("USDC", 0, 3_000))
    found = ways(of, held=wallet(USDC=4_000))
    assert not isinstance(found, Hold)
    assert found[0].is_partial
    assert any(r.reason is Reason.RESERVE_UNAVAILABLE and "DAI" in r.label for r in found[0].rejected)


def test_a_guardian_takes_nothing_out() -> None:
    """It repays, and that is all."""
    found = ways(
        position(holding("WETH", 10), holding("USDC", 0, 3_000)), terms(signer_is_owner=False), wallet(USDC=4_000)
    )
    assert not isinstance(found, Hold)
    assert not any(isinstance(s.move, Withdraw) for p in found for s in p.steps)


def test_what_is_left_by_then_is_named_for_venues_that_know_no_all() -> None:
    """A part is sold before: the last withdrawal is of the rest, and not of what there was when the plan was made."""
    of = position(holding("WETH", 10), holding("USDC", 0, 9_000))
    found = ways(of)
    assert not isinstance(found, Hold)
    out = [s.move for s in found[0].steps if isinstance(s.move, Withdraw)]
    assert (out[-1].amount, len(out) > 1) == (None, True)
    before = sum(move.amount or 0 for move in out[:-1])
    assert 0 < before < of.holdings[0].supplied
    assert out[-1].named(of.holdings[0].supplied) == of.holdings[0].supplied - before


@pytest.mark.parametrize(
    ("supplied", "owed", "is_met"),
    [(0, 0, True), (10**6 - 1, 0, True), (10**6, 0, False), (0, 1, False)],
)
def test_a_market_is_left_where_less_than_a_cent_stays(supplied: int, owed: int, is_met: bool) -> None:
    """What a supply earned while the plan ran stays where a venue knows no "all"; a debt never does."""
    found = ways(position(holding("WETH", 1), holding("USDC", 0, 100)))
    assert not isinstance(found, Hold)
    kept = found[0].postcondition
    figures = replace(found[0].projected, collateral_value=Usd(supplied), debt_value=Usd(owed))
    assert kept.is_met(figures) is is_met
