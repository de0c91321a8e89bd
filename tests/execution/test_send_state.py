"""When a transaction that is not mined is said again, offered more for, or given up: one rule a test."""

from __future__ import annotations

import pytest

from keeper.chain.fees import Fees
from keeper.core.units import Wei
from keeper.execution.send_state import Move, SendState, Timings

FEES, MORE = Fees(Wei(30), Wei(1)), Fees(Wei(40), Wei(2))
TIMES = Timings(rebroadcast_s=12, bump_s=48, give_up_s=600)
NEW = SendState.begun(FEES, 1000.0)


@pytest.mark.parametrize("after", [0, 5, 11.999])
def test_a_transaction_just_sent_is_waited_for(after: float) -> None:
    """Nothing is due yet."""
    assert NEW.next_move(1000 + after, TIMES) is Move.WAIT


@pytest.mark.parametrize("after", [12, 20, 47.999])
def test_the_same_bytes_are_said_again_after_a_while(after: float) -> None:
    """From the very second on."""
    assert NEW.next_move(1000 + after, TIMES) is Move.REBROADCAST


@pytest.mark.parametrize("after", [48, 100, 599.999])
def test_the_offer_is_raised_when_it_does_not_serve(after: float) -> None:
    """It goes before saying the same again, and holds until something was done."""
    assert NEW.next_move(1000 + after, TIMES) is Move.BUMP


@pytest.mark.parametrize("after", [600, 10**6])
def test_it_is_given_up_in_the_end(after: float) -> None:
    """Before everything else that is due."""
    assert NEW.next_move(1000 + after, TIMES) is Move.GIVE_UP


def test_saying_it_again_waits_anew_and_delays_no_raise() -> None:
    """The offer ages while its bytes are repeated."""
    said = NEW.said(1012)
    assert said.next_move(1023, TIMES) is Move.WAIT
    assert said.next_move(1024, TIMES) is Move.REBROADCAST
    assert said.next_move(1048, TIMES) is Move.BUMP


def test_a_raised_offer_starts_both_waits_anew() -> None:
    """It is new to the node, and fresh."""
    raised = NEW.bumped(MORE, 1048)
    assert raised.fees == MORE
    assert raised.next_move(1059, TIMES) is Move.WAIT
    assert raised.next_move(1060, TIMES) is Move.REBROADCAST
    assert raised.next_move(1095, TIMES) is Move.REBROADCAST
    assert raised.next_move(1096, TIMES) is Move.BUMP


def test_an_offer_that_may_not_be_raised_is_still_said_again() -> None:
    """The owner's ceiling stops the raising, not the trying; a raise is asked for again later."""
    capped = NEW.capped(1048)
    assert capped.fees == FEES
    assert capped.next_move(1048, TIMES) is Move.REBROADCAST
    assert capped.said(1050).next_move(1095, TIMES) is Move.REBROADCAST
    assert capped.said(1090).next_move(1096, TIMES) is Move.BUMP


def test_nothing_that_is_done_postpones_giving_up() -> None:
    """The age is that of the transaction, not of its newest offer."""
    busy = NEW.bumped(MORE, 1599).said(1599.5).capped(1599.9)
    assert busy.next_move(1600, TIMES) is Move.GIVE_UP


def test_a_state_is_never_changed_but_replaced() -> None:
    """Pure: the old one stays what it was."""
    NEW.bumped(MORE, 2000)
    assert (NEW.fees, NEW.offered_at, NEW.said_at, NEW.started_at) == (FEES, 1000, 1000, 1000)
