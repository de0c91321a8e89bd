"""A second look, before more is offered for a plan that waits to be mined: is it still asked for?"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.errors import NodeError
from keeper.core.book.rules import HedgeIntent
from keeper.core.decide import NEEDLESS, Memory, asked_for
from keeper.core.perp.decide import PerpIntent, decide_perp
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot, Unreadable
from keeper.engine.engine import Engine
from keeper.engine.perp.assess import judge_book, judge_perp
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.unconfirmed import unconfirmed
from keeper.execution.recheck import Drop, Keep, Unsure, Verdict
from keeper.venues.ports import ReadFailedError


@dataclass(frozen=True, slots=True)
class PerpLook:
    """Asked by the lane. What cannot be seen is no reason to give a rehearsed plan up, nor to pay more for it."""

    engine: Engine
    sent: PerpPrepared

    async def __call__(self, has_begun: bool) -> Verdict:
        """Return keep, drop or unsure. Once a part is mined the rest is finished."""
        keep, intent = Keep(self.sent.ceiling), self.sent.plan.intent
        if has_begun or self.sent.plan.is_upkeep:  # a stop is wanted because its rule asks for nothing yet
            return keep
        found = await self._looked(intent)
        if isinstance(found, Unsure):
            unconfirmed(self.engine, intent.position, found)
            return found
        return keep if found is None else Drop(found)

    async def _looked(self, intent: PerpIntent | HedgeIntent) -> Reason | Unsure | None:
        try:
            snapshot = await self.engine.reader.snapshot(await self.engine.reader.head())
            return await self._needless(snapshot, intent)
        except NodeError as error:
            return Unsure(Reason.NODE_AWAY, str(error))
        except ReadFailedError as error:
            return Unsure(error.doubt.reason, error.doubt.detail)

    async def _needless(self, snapshot: Snapshot, intent: PerpIntent | HedgeIntent) -> Reason | Unsure | None:
        """Return why nothing asks for the plan any more; None while something does, or it is not a rule's."""
        engine = self.engine
        if isinstance(intent, HedgeIntent):
            book = await judge_book(engine, snapshot, intent.assessment.exposure.book, intent.rule)
            turned = (intent.rule.target - book.delta > 0) != (intent.change > 0)
            return Reason.HEALTHY if not book.exposure.doubts and (not book.fired or turned) else None
        position = next((p for p in snapshot.positions if p.name == intent.position), None)
        if isinstance(position, Unreadable):
            return Unsure(Reason.POSITION_UNREADABLE, position.doubt.detail)
        if intent.rule not in engine.perps.rules or not isinstance(position, PerpPosition):
            return None
        if intent.finishes:
            return Reason.AT_TARGET if intent.target.is_met(position) else None
        assessed = await judge_perp(engine, snapshot, position)
        signer = engine.reader.positions[intent.position].spender
        now = decide_perp(assessed, Memory(), engine.terms.safety, signer)
        asked = None if now.intents else asked_for(now.holds)
        return asked.reason if asked and asked.reason in NEEDLESS else None
