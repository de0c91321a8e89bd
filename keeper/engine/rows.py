"""What was judged and what came of it as plain data, whatever the kind: the one place that knows each kind's report."""

from __future__ import annotations

from typing import assert_never

from keeper.core.book.rules import BookAssessment
from keeper.core.decide import Hold
from keeper.core.family import Family
from keeper.core.lending.rules import LendingAssessment, LendingIntent
from keeper.core.perp.rules import PerpAssessment
from keeper.core.rules import Unjudged
from keeper.core.snapshot import Snapshot
from keeper.engine import report
from keeper.engine.lending import report as loans
from keeper.engine.lending.preflight import Prepared
from keeper.engine.perp import book_report as books
from keeper.engine.perp import report as perps
from keeper.engine.perp.assess import carry_of
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.report import Data
from keeper.engine.result import AnyAssessment, AnyIntent, AnyOutcome, Result
from keeper.execution.outcome import Outcome, PerpOutcome


def seen(of: AnyAssessment | Unjudged, snapshot: Snapshot | None = None) -> Data:
    """Return what the rules say of a position or a book; of a book, what holding it brings at a ``snapshot``."""
    match of:
        case LendingAssessment():
            return loans.assessment(of)
        case PerpAssessment():
            return perps.assessment(of)
        case BookAssessment():
            return books.book(of, carry_of(snapshot, of) if snapshot else None)
        case Unjudged():
            return report.unjudged(of)
        case _:
            assert_never(of)


def row(of: Result, outcome: AnyOutcome | None) -> Data:
    """Return one position's or book's way through a cycle."""
    made, rehearsed = _prepared(of.prepared)
    return {
        "name": of.name,
        **_headline(of),
        "decision": _decision(of.decision),
        "others": [report.decision(hold) for hold in of.others],
        "plan": made,
        "alternatives": [report.rejected(r) for r in of.prepared.plan.rejected] if of.prepared else [],
        "rehearsal": rehearsed,
        "outcome": _outcome(outcome),
    }


def _decision(of: Hold | AnyIntent) -> Data:
    return loans.decision(of) if isinstance(of, LendingIntent) else report.decision(of)


def _headline(of: Result) -> Data:
    """Return the figure that its owner goes by."""
    match of.assessed:
        case LendingAssessment(position=position):
            return {"health_factor": loans.figures(position.reported)["health_factor"]}
        case PerpAssessment(position=perp):
            return {"margin_ratio": perps.figures(perp)["margin_ratio"]}
        case BookAssessment() as book:
            return {"delta": books.book(book)["delta"]}
        case Unjudged():
            return {"health_factor": None} if of.family is Family.LENDING else {}
        case _:
            assert_never(of.assessed)


def _prepared(of: Prepared | PerpPrepared | None) -> tuple[Data | None, Data | None]:
    match of:
        case None:
            return None, None
        case Prepared():
            made = loans.plan(of.plan, of.script.calls) | report.fee(of.stake, of.ceiling)
            made |= report.ways_out(of.script)
            return made, loans.rehearsal(of.rehearsed)
        case PerpPrepared():
            return perps.plan(of.plan, of.calls, of.ceiling), perps.rehearsal(of)
        case _:
            assert_never(of)


def _outcome(of: AnyOutcome | None) -> Data | None:
    match of:
        case None:
            return None
        case Outcome():
            return loans.outcome(of)
        case PerpOutcome():
            return perps.outcome(of)
        case _:
            assert_never(of)
