"""What becomes of a pending plan when it is looked at again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keeper.core.decide import Hold
from keeper.core.lending.moves import Repay, Supply
from keeper.core.lending.plan import Plan
from keeper.core.lending.proposals import Step
from keeper.core.perp.moves import AddMargin, AllowMargin, Trade
from keeper.core.perp.plan import PerpPlan, PerpStep
from keeper.core.reasons import Reason
from keeper.core.units import Address, Amount, Usd, Wad, Wei
from keeper.execution.recheck import UNKNOWN, Change, Drop, Keep, Unsure, is_same, verdict
from keeper.execution.tx_state import IllegalMoveError, TxState, moved

USDC, WETH = Address("0x" + "01" * 20), Address("0x" + "02" * 20)


def plan(*moves: Any) -> Plan:
    made: Any = object.__new__(Plan)
    object.__setattr__(made, "steps", tuple(Step(m, Usd(0), Wad(0)) for m in moves))
    return made


REPAY = plan(Repay(USDC, Amount(1_000_000)))


def test_a_plan_that_is_still_right_is_kept_with_the_new_ceiling() -> None:
    """More is offered, up to what is at stake now."""
    assert verdict(REPAY, REPAY, Wei(7), has_begun=False) == Keep(Wei(7))


def test_a_plan_that_its_owner_paused_is_taken_back_unless_it_has_begun() -> None:
    """No more is offered for what somebody asked to rest; half of a round is worse than the whole."""
    hold = Hold("p", "r", Reason.PAUSED)
    assert verdict(REPAY, hold, Wei(7), has_begun=False) == Drop(Reason.PAUSED)
    assert verdict(REPAY, hold, Wei(7), has_begun=True) == Keep(Wei(7))


@pytest.mark.parametrize("reason", [Reason.HEALTHY, Reason.AT_TARGET])
def test_a_position_that_needs_nothing_drops_its_plan(reason: Reason) -> None:
    """The market came back while the transaction was pending."""
    assert verdict(REPAY, Hold("p", None, reason), None, has_begun=False) == Drop(reason)


@pytest.mark.parametrize(
    "reason", [Reason.PRICE_STALE, Reason.POOL_TOO_THIN, Reason.REHEARSAL_FAILED, Reason.FEE_LIMIT, Reason.SPEND_LIMIT]
)
def test_a_position_still_in_danger_keeps_its_plan(reason: Reason) -> None:
    """A hold that says nothing good of the position is no reason to give up a rescue."""
    assert verdict(REPAY, Hold("p", "r", reason), None, has_begun=False) == Keep(None)


@pytest.mark.parametrize("reason", UNKNOWN, ids=str)
def test_a_position_of_which_nothing_is_known_keeps_its_plan_and_bids_no_more(reason: Reason) -> None:
    """Unknown is not healthy, and no state to pay more on; once begun, a round is finished."""
    hold = Hold("p", "r", reason, "why")
    assert verdict(REPAY, hold, Wei(7), has_begun=False) == Unsure(reason, "why")
    assert verdict(REPAY, hold, Wei(7), has_begun=True) == Keep(Wei(7))


def test_amounts_that_moved_make_another_plan() -> None:
    """Beyond two percent it is replaced; within, it is not worth it."""
    near, far = plan(Repay(USDC, Amount(1_019_000))), plan(Repay(USDC, Amount(1_030_000)))
    assert verdict(REPAY, near, None, has_begun=False) == Keep(None)
    assert verdict(REPAY, far, None, has_begun=False) == Change()


def test_other_moves_make_another_plan() -> None:
    """The same amount of another asset, or another move, is not the same."""
    assert not is_same(REPAY, plan(Repay(WETH, Amount(1_000_000))))
    assert not is_same(REPAY, plan(Supply(USDC, Amount(1_000_000))))
    assert not is_same(REPAY, plan(Repay(USDC, Amount(1_000_000)), Repay(WETH, Amount(1))))


def test_what_has_begun_is_finished() -> None:
    """Once a transaction of the burst is mined nothing changes its course."""
    assert verdict(REPAY, Hold("p", None, Reason.HEALTHY), Wei(1), has_begun=True) == Keep(Wei(1))


def test_states_only_lead_where_they_may() -> None:
    """Confirmed is the end; nothing returns to signed; a mined one may be taken back by a reorg."""
    assert moved(TxState.MINED, TxState.PENDING) is TxState.PENDING
    assert moved(TxState.PENDING, TxState.PENDING) is TxState.PENDING
    for old, new in (
        (TxState.CONFIRMED, TxState.SIGNED),
        (TxState.MINED, TxState.SIGNED),
        (TxState.EXPIRED, TxState.PENDING),
        (TxState.MINED, TxState.REPLACED),
    ):
        with pytest.raises(IllegalMoveError):
            moved(old, new)


def test_a_plan_is_compared_by_value() -> None:
    """Replacing a step's spend changes nothing of what is sent."""
    other = plan(*(replace(s.move) for s in REPAY.steps))
    assert is_same(REPAY, other)


# --- perpetual plans -------------------------------------------------------------------------------------------------


def perp_plan(*moves: Any) -> PerpPlan:
    made: Any = object.__new__(PerpPlan)
    object.__setattr__(made, "steps", tuple(PerpStep(m, Usd(0)) for m in moves))
    return made  # type: ignore[no-any-return]


REDUCE = perp_plan(Trade(WETH, is_long=False, size_change=10**18, size_usd=0, worst_price=2000))


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (perp_plan(Trade(WETH, False, 10**18, 5, 2100)), Keep),
        (perp_plan(Trade(WETH, False, 1_019 * 10**15, 0, 2000)), Keep),
        (perp_plan(Trade(WETH, False, 1_030 * 10**15, 0, 2000)), Change),
        (perp_plan(Trade(WETH, False, -(10**18), 0, 2000)), Change),
        (perp_plan(Trade(WETH, False, 10**18, 0, 2000, is_close=True)), Change),
        (perp_plan(Trade(USDC, False, 10**18, 0, 2000)), Change),
        (perp_plan(AddMargin(WETH, False, USDC, Amount(10**9))), Change),
        (perp_plan(AllowMargin(USDC, Amount(5)), Trade(WETH, False, 10**18, 0, 2000)), Keep),
        (Hold("p", "r", Reason.ORDER_PENDING), Keep),
        (Hold("p", "r", Reason.HEALTHY), Drop),
        (Hold("p", "r", Reason.UNMEASURED), Drop),
        (Hold("p", "r", Reason.POSITION_UNREADABLE), Unsure),
    ],
)
def test_a_perpetual_plan_is_kept_dropped_or_changed_as_a_loan_s_is(now: PerpPlan | Hold, found: type) -> None:
    """By what it trades and how much, not by the price it bears; approvals follow from the rest."""
    assert isinstance(verdict(REDUCE, now, Wei(7), has_begun=False), found)
    assert verdict(REDUCE, now, Wei(7), has_begun=True) == Keep(Wei(7))
