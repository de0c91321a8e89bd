"""What became of one position or book at one block."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from keeper.core.book.rules import BookAssessment, BookIntent
from keeper.core.decide import Hold
from keeper.core.family import Family
from keeper.core.lending.rules import LendingAssessment, LendingIntent
from keeper.core.perp.rules import PerpAssessment, PerpIntent
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.engine.lending.preflight import Prepared
from keeper.engine.perp.preflight import PerpPrepared
from keeper.execution.outcome import Outcome, PerpOutcome

AnyAssessment = LendingAssessment | PerpAssessment | BookAssessment
AnyIntent = LendingIntent | PerpIntent | BookIntent
AnyPrepared = Prepared | PerpPrepared
AnyOutcome = Outcome | PerpOutcome


@dataclass(frozen=True, slots=True)
class Result:
    """One position's or book's way through one cycle, as far as it went."""

    name: str
    family: Family
    assessed: AnyAssessment | Unjudged
    decision: Hold | AnyIntent
    prepared: AnyPrepared | None = None
    outcome: AnyOutcome | asyncio.Task[AnyOutcome] | None = None
    """What came of it; a task while the plan is on its way: the next block is not kept waiting."""
    others: tuple[Hold, ...] = ()
    """What the other rules came to, each under its own name: alerts, and rescues that found no way."""

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Every hold: what the rules came to, but the plan."""
        return (self.decision, *self.others) if isinstance(self.decision, Hold) else self.others

    @property
    def is_healthy(self) -> bool:
        """True when no rule fired."""
        return isinstance(self.decision, Hold) and self.decision.reason is Reason.HEALTHY
