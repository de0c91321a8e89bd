"""What would be done now in the place of a plan about a perpetual position or a book that waits to be mined."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.core.book.kind import BOOK
from keeper.core.book.rules import BookIntent
from keeper.core.decide import Hold
from keeper.core.perp.kind import PERP
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpIntent
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot, Unreadable
from keeper.engine.decide import decided_anew
from keeper.engine.engine import Engine
from keeper.engine.perp.assess import judge_book, judge_perp
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.perp.prepare import prepare_hedge, prepare_perp
from keeper.engine.recheck import Anew, Recheck, best_now, newest
from keeper.execution.recheck import Unsure

_Found = Anew[PerpPrepared] | Hold | Unsure | None


def perp_look(engine: Engine, sent: PerpPrepared) -> Recheck[PerpPrepared]:
    """Return what decides about a plan anew: a position's by its rules, a book's by its band."""
    return Recheck(engine, sent.plan.intent.position, sent, _Deciding(engine, sent).decided)


@dataclass(frozen=True, slots=True)
class _Deciding:
    """What would be done now in the place of a plan that was sent."""

    engine: Engine
    sent: PerpPrepared

    async def decided(self) -> _Found:
        """Return the plan there would be, were nothing under way; None where no rule is asked for it."""
        if self.sent.plan.is_upkeep:  # a stop is wanted because its rule asks for nothing yet
            return None
        return await self._now(await newest(self.engine), self.sent.plan.intent)

    async def _now(self, snapshot: Snapshot, intent: PerpIntent | BookIntent) -> _Found:
        """Return what would be done at the newest block; None where nobody is asked anew, for it is no rule's."""
        engine = self.engine
        if isinstance(intent, BookIntent):
            return await self._hedged(snapshot, intent)
        position = next((p for p in snapshot.positions if p.name == intent.position), None)
        if not isinstance(position, PerpPosition):
            detail = position.doubt.detail if isinstance(position, Unreadable) else intent.position
            return Unsure(Reason.POSITION_UNREADABLE, detail)
        if intent.rule not in engine.perps.rules:
            return None
        if intent.finishes:
            paused = await engine.paused((intent.rule,))
            if paused:
                return intent.hold(Reason.PAUSED, next(iter(paused.values())))
            return intent.hold(Reason.AT_TARGET) if intent.target.is_met(position) else None
        return await self._planned(snapshot, position)

    async def _hedged(self, snapshot: Snapshot, intent: BookIntent) -> _Found:
        """Return the trade of the same hedge that would be made now: another hedge has nonces of its own."""
        engine, name, book = self.engine, self.sent.plan.before.name, intent.assessment.exposure.book
        assessed = await judge_book(engine, snapshot, book, intent.rule)
        if assessed.exposure.doubts:  # nobody knows the delta: no reason to give up, and none to pay more
            return Unsure(assessed.exposure.doubts[0].reason, assessed.exposure.doubts[0].detail)
        if not assessed.fired or (assessed.wanted > 0) != (intent.assessment.wanted > 0):
            return intent.hold(Reason.HEALTHY)
        hedges = tuple(perp for perp in assessed.position.hedges if perp.name == name)
        if not hedges:
            return intent.hold(Reason.POSITION_UNREADABLE, name)
        alone = replace(assessed, position=replace(assessed.position, hedges=hedges))
        signer = engine.reader.positions[name].spender
        decided = await decided_anew(engine, BOOK, alone, snapshot.block, self.sent.plan.spend, signer)
        return await best_now(
            engine, snapshot, book.name, decided, lambda now: prepare_hedge(engine, snapshot, now, hedges)
        )

    async def _planned(self, snapshot: Snapshot, position: PerpPosition) -> Anew[PerpPrepared] | Hold:
        """Return the plan there would be, were nothing under way."""
        engine, signer = self.engine, self.engine.reader.positions[position.name].spender
        assessed = await judge_perp(engine, snapshot, position)
        decided = await decided_anew(engine, PERP, assessed, snapshot.block, self.sent.plan.spend, signer)
        return await best_now(
            engine, snapshot, position.name, decided, lambda intent: prepare_perp(engine, snapshot, intent)
        )
