"""A lending position on its way through one block."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.decide import Decided, Hold
from keeper.core.drills import Rehearsal
from keeper.core.family import Family
from keeper.core.lending.joint import urgency
from keeper.core.lending.kind import LENDING
from keeper.core.lending.rules import LendingAssessment, LendingIntent
from keeper.core.notices import Notice
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import LendingPosition, Unreadable
from keeper.engine.armed.match import fitting
from keeper.engine.case import Considered, T, Visit
from keeper.engine.convoys import goes_ahead
from keeper.engine.decide import decided
from keeper.engine.lending.assess import judge_remembering
from keeper.engine.lending.departure import LendingDeparture
from keeper.engine.lending.foreign_changes import closed_or_missing, notice
from keeper.engine.lending.notices import loan_notices, standing_of
from keeper.engine.lending.plan import rehearsed_now
from keeper.engine.lending.preflight import Prepared
from keeper.engine.one_position import OfOnePosition
from keeper.engine.result import AnyOutcome
from keeper.engine.submit import submit
from keeper.execution.outcome import Outcome


@dataclass(frozen=True, slots=True)
class LendingCase(OfOnePosition):
    """One account in one market."""

    position: LendingPosition | Unreadable
    wave: int = 0
    family: Family = Family.LENDING

    async def assess(self) -> LendingAssessment | Unjudged:
        """Judge it; an account with nothing in it was closed by its owner, or never was. Raises JournalError."""
        assessed = await judge_remembering(self.engine, self.snapshot, self.position)
        if isinstance(assessed, Unjudged) and assessed.doubt.reason is Reason.NO_POSITION:
            return await closed_or_missing(self.engine, assessed)
        return assessed

    async def decide(self, assessed: LendingAssessment | Unjudged) -> Decided[LendingIntent]:
        """Return what each fired rule comes to. Raises JournalError."""
        return await decided(self.engine, LENDING, assessed, self.snapshot.block, self.signer)

    def urgency(self, intent: LendingIntent) -> tuple[bool, int, int]:
        """Return the dollars to be lost, then the health factor."""
        return urgency(intent)

    async def prepare(self, intent: LendingIntent) -> Prepared | Hold:
        """Return a plan made ready beforehand that still fits, else the best that works now. Raises NodeError."""
        armed: Prepared | None = await fitting(self.engine, self.snapshot, intent, self.signer)
        return armed or await rehearsed_now(self.engine, self.snapshot, intent, self.signer)

    async def tend(self, found: Considered[LendingIntent, Prepared]) -> Considered[LendingIntent, Prepared]:
        """Return what it comes to: nothing is left with a lending market that had to be seen to."""
        return found

    async def submit(self, prepared: Prepared) -> Outcome | asyncio.Task[Outcome]:
        """Write the plan down, then send it. Raises JournalError."""
        return await submit(self.engine, LendingDeparture(self.engine, self.snapshot, prepared))

    def goes_ahead(self, prepared: Prepared, outcome: AnyOutcome | asyncio.Task[AnyOutcome]) -> None:
        """Let what is decided next meet what the plan leaves."""
        goes_ahead(self.engine, self.snapshot.block, self.signer, prepared)
        if isinstance(outcome, asyncio.Task):
            self.engine.state.in_flight.joins(outcome)

    def notices(self, assessed: LendingAssessment | Unjudged, holds: Sequence[Hold]) -> tuple[Notice, ...]:
        """Return each hold as its owner reads it."""
        return loan_notices(assessed, holds)

    def standing(self, assessed: LendingAssessment | Unjudged) -> str:
        """Return how it stands."""
        return standing_of(assessed)

    async def follow_up(self, assessed: LendingAssessment | Unjudged, decision: Hold | LendingIntent) -> None:
        """Report what somebody else did to it: after what its rules ask for. Raises JournalError."""
        if isinstance(self.position, LendingPosition):
            await notice(self.engine, self.position, assessed)

    def rehearsals(self) -> tuple[Rehearsal, ...]:
        """Return the fire drill of each of its rules that act to protect it."""
        from keeper.engine.lending.drill import rehearsals  # noqa: PLC0415 - for a drill, which is no block's work

        return rehearsals(self.engine, self.snapshot, self.position)

    def open(self, visit: Visit[T]) -> T:
        """Hand it over with its types."""
        return visit(self)
