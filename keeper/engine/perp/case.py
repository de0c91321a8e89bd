"""A perpetual position on its way through one block."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.decide import Decided, Hold
from keeper.core.drills import Rehearsal
from keeper.core.family import Family
from keeper.core.notices import Notice
from keeper.core.perp.kind import PERP
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpAssessment, PerpIntent
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import Unreadable
from keeper.engine.armed.match import fitting
from keeper.engine.case import Considered, T, Visit
from keeper.engine.convoys import calls_go_ahead
from keeper.engine.decide import decided
from keeper.engine.one_position import OfOnePosition
from keeper.engine.perp.assess import judge_perp
from keeper.engine.perp.departure import PerpDeparture
from keeper.engine.perp.foreign_changes import notice
from keeper.engine.perp.notices import perp_notices, standing_of
from keeper.engine.perp.orders import look_after_orders
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.perp.prepare import prepare_perp
from keeper.engine.perp.stops import keep_stops, take_back
from keeper.engine.result import AnyOutcome
from keeper.engine.submit import submit
from keeper.execution.outcome import PerpOutcome


@dataclass(frozen=True, slots=True)
class PerpCase(OfOnePosition):
    """One account at a perpetual venue."""

    position: PerpPosition | Unreadable
    wave: int = 1
    family: Family = Family.PERP

    async def assess(self) -> PerpAssessment | Unjudged:
        """Judge it by its rules. Raises JournalError."""
        return await judge_perp(self.engine, self.snapshot, self.position)

    async def decide(self, assessed: PerpAssessment | Unjudged) -> Decided[PerpIntent]:
        """Return what each fired rule comes to. Raises JournalError."""
        return await decided(self.engine, PERP, assessed, self.snapshot.block, self.signer)

    def urgency(self, intent: PerpIntent) -> tuple[bool, int, int]:
        """Return the same for all: perpetual positions keep the settings' order."""
        return False, 0, 0

    async def prepare(self, intent: PerpIntent) -> PerpPrepared | Hold:
        """Return a plan made ready beforehand that still fits, else the best that works now. Raises NodeError."""
        armed: PerpPrepared | None = await fitting(self.engine, self.snapshot, intent, self.signer)
        return armed or await prepare_perp(self.engine, self.snapshot, intent)

    async def tend(self, found: Considered[PerpIntent, PerpPrepared]) -> Considered[PerpIntent, PerpPrepared]:
        """See what became of its orders, and take back one that is late: a signer does one thing at a time."""
        if not isinstance(self.position, PerpPosition):
            return found
        late = await look_after_orders(self.engine, self.snapshot, self.position)
        await notice(self.engine, self.position)
        if late is None:
            return found
        await take_back(self.engine, self.snapshot, self.position, late)
        if isinstance(found.decision, PerpIntent) and self.signer in self.engine.state.in_flight:
            return Considered(found.decision.hold(Reason.IN_FLIGHT, "an order taken back"), None, found.others)
        return found

    async def submit(self, prepared: PerpPrepared) -> PerpOutcome | asyncio.Task[PerpOutcome]:
        """Write the plan down, then send it. Raises JournalError."""
        return await submit(self.engine, PerpDeparture(self.engine, self.snapshot, prepared))

    def goes_ahead(self, prepared: PerpPrepared, outcome: AnyOutcome | asyncio.Task[AnyOutcome]) -> None:
        """Let what is decided next meet what the plan leaves."""
        if isinstance(outcome, asyncio.Task):
            self.engine.state.in_flight.joins(outcome)
            block = self.snapshot.block
            calls_go_ahead(self.engine, block, self.name, self.signer, prepared.calls, prepared.gas_used)

    def notices(self, assessed: PerpAssessment | Unjudged, holds: Sequence[Hold]) -> tuple[Notice, ...]:
        """Return each hold as its owner reads it."""
        return perp_notices(assessed, holds)

    def standing(self, assessed: PerpAssessment | Unjudged) -> str:
        """Return how it stands."""
        return standing_of(assessed)

    async def follow_up(self, assessed: PerpAssessment | Unjudged, decision: Hold | PerpIntent) -> None:
        """Where nothing is sent for its rules, keep the stop orders that rest with the venue. Raises NodeError."""
        if isinstance(decision, Hold) and isinstance(self.position, PerpPosition):
            await keep_stops(self.engine, self.snapshot, self.position)

    def rehearsals(self) -> tuple[Rehearsal, ...]:
        """Return the fire drill of each of its rules that act to protect it."""
        from keeper.engine.perp.drill import perp_rehearsals  # noqa: PLC0415 - for a drill, which is no block's work

        return perp_rehearsals(self.engine, self.snapshot, self.position)

    def open(self, visit: Visit[T]) -> T:
        """Hand it over with its types."""
        return visit(self)
