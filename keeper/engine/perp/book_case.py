"""A book under one of its rules, on its way through one block: its delta, and the trade that brings it back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.book.kind import BOOK
from keeper.core.book.position import Book
from keeper.core.book.rules import BookAssessment, BookIntent, BookRule, subject_of
from keeper.core.decide import Decided, Hold
from keeper.core.drills import Rehearsal
from keeper.core.family import Family
from keeper.core.notices import Notice
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address
from keeper.engine.case import Considered, T, Visit
from keeper.engine.decide import decided
from keeper.engine.engine import Engine
from keeper.engine.perp.assess import judge_book
from keeper.engine.perp.departure import PerpDeparture
from keeper.engine.perp.notices import book_notices, standing_of
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.perp.prepare import prepare_hedge
from keeper.engine.perp.unwind import gives_up, stand_by
from keeper.engine.result import AnyOutcome
from keeper.engine.submit import submit
from keeper.execution.outcome import PerpOutcome


@dataclass(frozen=True, slots=True)
class BookCase:
    """Positions that belong together, and the hedges that may trade for them."""

    engine: Engine
    snapshot: Snapshot
    book: Book
    rule: BookRule
    wave: int = 2
    family: Family = Family.BOOK

    @property
    def name(self) -> str:
        """The book's name."""
        return self.book.name

    @property
    def signer(self) -> Address:
        """Who signs for the first of its hedges."""
        return self.engine.reader.positions[self.book.hedges[0]].spender

    async def assess(self) -> BookAssessment | Unjudged:
        """Judge it by its rule; the time it stands outside its band is counted and kept. Raises JournalError."""
        return await judge_book(self.engine, self.snapshot, self.book, self.rule)

    async def decide(self, assessed: BookAssessment | Unjudged) -> Decided[BookIntent]:
        """Return what the rule comes to; nothing is traded while the first leg is to be unwound instead."""
        signers = (self.engine.reader.positions[name].spender for name in self.book.hedges)
        found = await decided(self.engine, BOOK, assessed, self.snapshot.block, *signers)
        if isinstance(assessed, BookAssessment) and found.intents and gives_up(assessed):
            detail = f"{assessed.naked.tries} orders failed"
            return Decided((found.intents[0].hold(Reason.TOO_MANY_FAILURES, detail),))
        return found

    def urgency(self, intent: BookIntent) -> tuple[bool, int, int]:
        """Return the same for all: a book is alone in its wave."""
        return False, 0, 0

    async def prepare(self, intent: BookIntent) -> PerpPrepared | Hold:
        """Return the cheapest trade that works now, over all hedges whose signer is free. Raises NodeError."""
        places, busy = self.engine.reader.positions, self.engine.state.in_flight.busy()
        free = [perp for perp in intent.assessment.position.hedges if places[perp.name].spender not in busy]
        return await prepare_hedge(self.engine, self.snapshot, intent, free)

    async def tend(self, found: Considered[BookIntent, PerpPrepared]) -> Considered[BookIntent, PerpPrepared]:
        """Return what it comes to: its hedges see to their own orders."""
        return found

    async def submit(self, prepared: PerpPrepared) -> PerpOutcome | asyncio.Task[PerpOutcome]:
        """Write the plan down, then send it. Raises JournalError."""
        return await submit(self.engine, PerpDeparture(self.engine, self.snapshot, prepared))

    def goes_ahead(self, prepared: PerpPrepared, outcome: AnyOutcome | asyncio.Task[AnyOutcome]) -> None:
        """Nothing is decided after it on what it leaves: another book's hedge waits for the signer."""

    @property
    def subject(self) -> str:
        """The book under this rule."""
        return subject_of(self.rule)

    def notices(self, assessed: BookAssessment | Unjudged, holds: Sequence[Hold]) -> tuple[Notice, ...]:
        """Return each hold as its owner reads it."""
        return book_notices(assessed, holds)

    def standing(self, assessed: BookAssessment | Unjudged) -> str:
        """Return how it stands."""
        return standing_of(assessed)

    async def follow_up(self, assessed: BookAssessment | Unjudged, decision: Hold | BookIntent) -> None:
        """Report how it stands outside its band; unwind its first leg when the time for the second is over."""
        if isinstance(assessed, BookAssessment):
            await stand_by(self.engine, self.snapshot, assessed, decision if isinstance(decision, Hold) else None)

    def rehearsals(self) -> tuple[Rehearsal, ...]:
        """Return nothing: what a hedge would trade is known once the delta has left its band."""
        return ()

    def open(self, visit: Visit[T]) -> T:
        """Hand it over with its types."""
        return visit(self)
