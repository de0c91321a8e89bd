"""What a plan came short of is made up for at once, by the same rule: its trigger may well be past by then."""

from __future__ import annotations

from keeper.chain.errors import NodeError
from keeper.core.book.rules import BookIntent
from keeper.core.decide import Hold
from keeper.core.held_back import left_today
from keeper.core.perp.kind import pending_order
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpAssessment, PerpIntent
from keeper.engine.engine import Engine
from keeper.engine.perp.assess import judge_perp
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.perp.prepare import prepare_perp
from keeper.engine.recheck import Anew, newest
from keeper.journal import JournalError
from keeper.venues.ports import ReadFailedError


async def rest_of(engine: Engine, intent: PerpIntent | BookIntent) -> Anew[PerpPrepared] | None:
    """Return a plan for what is still missing, rehearsed at the newest block; None where there is none, or no way.

    Within the limits of the rule, and only where nothing is in doubt. Never raises for what a node does.
    """
    if not isinstance(intent, PerpIntent):
        return None  # a book is judged anew by its band
    try:
        snapshot = await newest(engine)
        position = next((p for p in snapshot.positions if p.name == intent.position), None)
        if not isinstance(position, PerpPosition) or pending_order(position):
            return None
        assessed = await judge_perp(engine, snapshot, position)
        if not isinstance(assessed, PerpAssessment) or assessed.doubts or intent.target.is_met(position):
            return None
        memory = await engine.recall_of((intent.rule,), snapshot.block)
        if memory.paused:
            return None
        rule, left = intent.rule, left_today(intent.rule, memory)
        rest = PerpIntent(assessed, rule, intent.target, rule.actions, (), left, finishes=True)
        prepared = await prepare_perp(engine, snapshot, rest)
    except (NodeError, ReadFailedError, JournalError):
        return None
    if isinstance(prepared, Hold):
        engine.observer.held(prepared.position, prepared.rule, prepared.reason, prepared.detail)
        return None
    return Anew(snapshot, prepared)
