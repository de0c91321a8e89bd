"""One position's or book's way through a cycle as plain data: what was seen, decided, planned and rehearsed."""

from __future__ import annotations

from typing import assert_never

from keeper.core.book.rules import BookAssessment
from keeper.core.family import Family
from keeper.core.lending.rules import LendingAssessment
from keeper.core.perp.rules import PerpAssessment
from keeper.core.rules import Unjudged
from keeper.engine import report
from keeper.engine.perp import report as perps
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.report import Data
from keeper.engine.result import AnyAssessment, AnyOutcome, AnyPrepared, Result
from keeper.execution.outcome import Outcome


def seen(of: AnyAssessment | Unjudged) -> Data:
    """Return a position or a book as it was judged."""
    return report.assessment(of) if isinstance(of, LendingAssessment | Unjudged) else perps.judged(of)


def row(of: Result, outcome: AnyOutcome | None) -> Data:
    """Return what was decided, and how the plan looks where there is one."""
    return {
        "name": of.name,
        **_figure(of),
        "decision": report.decision(of.decision),
        "others": [report.decision(hold) for hold in of.others],
        "plan": None,
        "alternatives": [],
        "rehearsal": None,
        **(_prepared(of.prepared) if of.prepared else {}),
        "outcome": _outcome(outcome) if outcome else None,
    }


def _figure(of: Result) -> Data:
    match of.assessed:
        case LendingAssessment():
            return {"health_factor": report.figures(of.assessed.figures)["health_factor"]}
        case PerpAssessment():
            return {"margin_ratio": perps.figures(of.assessed.position)["margin_ratio"]}
        case BookAssessment():
            return {"delta": perps.book(of.assessed)["delta"]}
        case Unjudged():
            return {"health_factor": None} if of.family is Family.LENDING else {}
        case _:
            assert_never(of.assessed)


def _prepared(of: AnyPrepared) -> Data:
    alternatives = [report.rejected(r) for r in of.plan.rejected]
    if isinstance(of, PerpPrepared):
        plan = perps.plan(of.plan, of.calls, of.ceiling)
        return {"plan": plan, "rehearsal": perps.rehearsal(of), "alternatives": alternatives}
    plan = report.plan(of.plan, of.script.calls) | report.fee(of.stake, of.ceiling)
    return {"plan": plan, "rehearsal": report.rehearsal(of.rehearsed), "alternatives": alternatives}


def _outcome(of: AnyOutcome) -> Data:
    return report.outcome(of) if isinstance(of, Outcome) else perps.outcome(of)
