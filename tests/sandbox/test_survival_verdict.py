"""What the survival table lets pass: an explanation is true for its own line, or the line is a fault."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sandbox.survival.cells import Cell, Setting, key
from sandbox.survival.model import Hosted
from sandbox.survival.paths import Course, fall
from sandbox.survival.play import Line, Played
from sandbox.survival.verdict import beside, verdicts

COURSE = Course("fall 1 %", fall("20", "1"))
NOTHING = Decimal(0)


def line(name: str, *, batch: bool = True, liquidated: bool = False, cost: int = 0, crowd: int = 0) -> Line:
    """A position that asked for help at the fifth block, and may have been liquidated ten blocks later."""
    setting = Setting(name, "1.15", "1.10", "1.20", is_batch=batch)
    hosted = Hosted(Decimal(20), Decimal(30_000), Decimal("0.83"), Decimal("0.05"), Decimal("1.10"), Decimal("1.20"))
    hosted.cost = Decimal(40)
    found = Line(Cell(setting, key(1), key(1), key(2).address), Decimal(cost), hosted=hosted, crowd=Decimal(crowd))
    found.fired, found.liquidated = [105], [115] if liquidated else []
    found.health, found.wallet = [1.05] * 30, [NOTHING] * 30
    return found


def judged(*lines: Line) -> list[tuple[bool, str]]:
    return [(v.is_fault, v.why) for v in verdicts(Played(COURSE, list(lines), 30, 100))]


def test_who_was_liquidated_with_means_at_hand_is_a_fault() -> None:
    """Ten blocks between the call for help and the liquidator."""
    ((is_fault, why),) = judged(line("sale batch 1.15", liquidated=True))
    assert is_fault
    assert why.startswith("asked for help 1 blocks in time")


def test_call_by_call_is_an_excuse_only_where_the_same_in_one_transaction_survived() -> None:
    """The table says which setting would have saved it; where none would, it is a fault."""
    calls = line("sale calls 1.15", batch=False, liquidated=True)
    (is_fault, why), _ = judged(calls, line("sale batch 1.15"))
    assert not is_fault
    assert "sale batch 1.15 was not liquidated" in why
    (is_fault, _), _ = judged(calls, line("sale batch 1.15", liquidated=True))
    assert is_fault
    ((is_fault, _),) = judged(calls)
    assert is_fault


def test_what_call_by_call_costs_more_is_excused_where_one_transaction_cost_no_more_than_the_model() -> None:
    """The model's 40 dollars: the twin's 30 excuse 60, its 90 do not."""
    calls = line("sale calls 1.15", batch=False, liquidated=True, cost=60)
    assert calls.hosted
    calls.hosted.liquidated, calls.alone_lost = 1, Decimal(100)
    found = [judged(calls, line("sale batch 1.15", cost=cost))[0][0] for cost in (30, 90)]
    assert found == [False, True]


def test_gas_is_an_excuse_only_where_it_was_dear_and_what_held_first() -> None:
    """Not in a crash at the usual gas price, and not where anything else stood in the way before."""
    limit, other = (106, "fee_limit", "at stake is enough for 21 gwei"), (105, "position_unreadable", "")
    of = line("sale batch 1.15", liquidated=True)
    found = []
    for gas, holds in ((100, [limit]), (1, [limit]), (100, [other, limit]), (100, [])):
        of.holds = holds
        (verdict,) = verdicts(Played(replace(COURSE, gas=gas), [of], 30, 100))
        found.append(verdict.is_fault)
    assert found == [False, True, True, True]


def test_who_was_liquidated_and_paid_more_than_without_a_keeper_is_a_fault_whatever_explains_it() -> None:
    """Gas that saved nothing: 130 dollars against the 100 of the same position with no keeper."""
    of = line("sale batch 1.15", liquidated=True)
    of.alone_lost, of.holds = Decimal(100), [(106, "fee_limit", "at stake is enough for 21 gwei")]
    found = []
    for cost in (102, 130):
        of.cost = Decimal(cost)
        (verdict,) = verdicts(Played(replace(COURSE, gas=100), [of], 30, 100))
        found.append(verdict.is_fault)
    assert found == [False, True]
    of.outcomes = {"restored: restored": 1}
    (verdict,) = verdicts(Played(replace(COURSE, gas=100), [of], 30, 100))
    assert not verdict.is_fault, "what a liquidation left was brought back to its target: that costs something"


def test_selling_behind_others_excuses_no_more_than_it_cost() -> None:
    """60 dollars against the model's 40: 30 of it the others' doing will do, 5 will not."""
    assert [judged(line("sale batch 1.15", cost=60, crowd=crowd))[0][0] for crowd in (0, 5, 30)] == [True, True, False]


def test_a_fault_in_the_crowd_is_none_where_the_same_alone_has_none() -> None:
    """Its replay decides, and is in the table."""
    (fault,) = verdicts(Played(COURSE, [line("small 1.15", liquidated=True)], 30, 100))
    (fine,) = verdicts(Played(COURSE, [line("small 1.15", cost=20)], 30, 100))
    found = beside(fault, fine)
    assert not found.is_fault
    assert found.liquidated == 1
    assert "alone: not liquidated, cost 20 in all" in found.why
    assert beside(fault, replace(fault, why="held")).is_fault
