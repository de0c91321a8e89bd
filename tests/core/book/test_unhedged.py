"""The second leg of a hedge: what naked time costs, and that nothing waits for ever."""

from __future__ import annotations

import pytest
from core_builders import wad
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.book.unhedged import (
    LATE_S,
    MOST_TRIES,
    Leg,
    Naked,
    NakedBudget,
    NextStep,
    budget_text,
    failed,
    next_step,
    observed,
)
from keeper.core.units import WAD

BUDGET = NakedBudget(wad("1"), 600)
OUT = Naked(0, 0)


def step(naked: Naked, leg: Leg, waiting_s: int = 0, *, can_take_back: bool = False) -> NextStep:
    return next_step(naked, leg, waiting_s, BUDGET, can_take_back=can_take_back)


def test_the_first_look_outside_costs_nothing_yet() -> None:
    """Since when it was outside is not known; from now on it counts."""
    assert observed(Naked(), 1000, wad("2"), is_outside=True) == Naked(1000, 1000, 0, 0)


def test_naked_time_is_counted_as_size_times_time() -> None:
    """Two ether for five minutes are one for ten: the budget."""
    naked = observed(observed(Naked(), 0, wad("2"), is_outside=True), 300, wad("2"), is_outside=True)
    assert naked.is_spent(BUDGET)
    assert not Naked(0, 299, 299 * 2 * WAD).is_spent(BUDGET)


def test_a_gap_counts_in_full_with_what_is_seen_after_it() -> None:
    """A keeper that was down an hour knows of nobody who hedged meanwhile."""
    assert observed(Naked(0, 0), 3600, wad("1"), is_outside=True).used == 3600 * WAD


def test_a_clock_that_goes_back_is_not_counted_twice() -> None:
    """A reorganisation, a node that lags."""
    naked = Naked(0, 100, 100 * WAD)
    for now in (90, 100, 95, 110):
        naked = observed(naked, now, WAD, is_outside=True)
    assert naked.used == 110 * WAD


def test_being_even_forgives_everything() -> None:
    """Time and tries: the next episode begins anew."""
    assert observed(failed(Naked(0, 10, 10**30, 2)), 20, 0, is_outside=False) == Naked()


def test_tries_made_before_it_was_noticed_are_kept() -> None:
    """An order that failed in the very block the book left its band."""
    assert observed(failed(Naked()), 10, WAD, is_outside=True).tries == 1


@pytest.mark.parametrize("leg", list(Leg))
def test_inside_the_band_there_is_nothing_to_do(leg: Leg) -> None:
    """Whatever became of orders."""
    assert step(Naked(tries=9), leg, 10_000, can_take_back=True) is NextStep.REST


@pytest.mark.parametrize("leg", [Leg.NONE, Leg.FAILED, Leg.LOST])
def test_what_is_missing_is_traded_until_tries_or_budget_are_spent(leg: Leg) -> None:
    """Then the first leg goes."""
    assert step(OUT, leg) is NextStep.TRADE
    assert step(Naked(0, 0, 0, MOST_TRIES - 1), leg) is NextStep.TRADE
    assert step(Naked(0, 0, 0, MOST_TRIES), leg) is NextStep.UNWIND
    assert step(Naked(0, 0, BUDGET.product), leg) is NextStep.UNWIND


def test_an_order_is_given_its_time_and_then_taken_back() -> None:
    """As soon as the venue lets it: while it waits nothing else is done, for it may still be filled."""
    spent = Naked(0, 0, BUDGET.product, MOST_TRIES)
    assert step(spent, Leg.ORDERED, LATE_S, can_take_back=True) is NextStep.WAIT
    assert step(OUT, Leg.ORDERED, LATE_S + 1, can_take_back=True) is NextStep.TAKE_BACK
    assert step(spent, Leg.ORDERED, LATE_S + 1) is NextStep.WAIT
    assert step(OUT, Leg.FROZEN) is NextStep.TAKE_BACK


EVENTS = st.lists(
    st.tuples(st.sampled_from(["block", "failed", "ordered", "frozen", "gone"]), st.integers(1, 120)), max_size=40
)


@given(EVENTS, st.integers(WAD // 10, 10 * WAD))
def test_whatever_happened_an_order_that_never_fills_ends_in_taking_back_or_unwinding(
    events: list[tuple[str, int]], away: int
) -> None:
    """From any state, within the venue's time and the budget's: nothing waits for ever."""
    now, naked, leg, since, can_cancel_s = 0, Naked(), Leg.NONE, 0, 300
    for what, wait in events:
        now += wait
        naked = observed(naked, now, away, is_outside=True)
        if what == "failed":
            naked, leg = failed(naked), Leg.FAILED
        elif what in ("ordered", "frozen"):
            leg, since = (Leg.ORDERED if what == "ordered" else Leg.FROZEN), now
        elif what == "gone":
            leg = Leg.LOST
    deadline = now + can_cancel_s + BUDGET.product // away + 2 * 60
    while now <= deadline:
        now += 12
        naked = observed(naked, now, away, is_outside=True)
        found = next_step(naked, leg, now - since, BUDGET, can_take_back=now - since > can_cancel_s)
        if found in (NextStep.TAKE_BACK, NextStep.UNWIND):
            return
        assert found in (NextStep.TRADE, NextStep.WAIT)
    pytest.fail("it waits for ever")


@given(st.lists(st.tuples(st.integers(-50, 500), st.integers(0, 10**20)), max_size=50))
def test_what_is_used_never_falls_while_it_is_outside(looks: list[tuple[int, int]]) -> None:
    """And is bounded by the largest distance times the whole time."""
    now, naked, used = 1000, Naked(), 0
    for wait, away in looks:
        now += wait
        naked = observed(naked, now, away, is_outside=True)
        assert naked.used >= used
        used = naked.used
    assert used <= max((away for _, away in looks), default=0) * sum(max(0, w) for w, _ in looks)


def test_the_budget_is_told_for_people() -> None:
    """Also one of nothing."""
    assert budget_text(Naked(0, 0, 300 * WAD), BUDGET) == "50 % of the naked-delta budget used, 300 unit-seconds"
    assert budget_text(OUT, NakedBudget(wad("0"), 600)).startswith("100 %")
