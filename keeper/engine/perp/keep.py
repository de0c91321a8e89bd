"""The story of one block for perpetual positions and books: judged, decided, planned, rehearsed, sent, written down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from keeper.chain.errors import NodeError, NodesDisagreeError
from keeper.core.book.position import Book
from keeper.core.book.rules import BookAssessment, HedgeIntent, HedgeRule, decide_hedge
from keeper.core.decide import Hold, gravest
from keeper.core.perp.decide import PerpIntent, decide_perp
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpAssessment
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import Snapshot, Unreadable
from keeper.engine.engine import Engine
from keeper.engine.perp.assess import judge_book, judge_perp
from keeper.engine.perp.foreign_changes import notice
from keeper.engine.perp.orders import look_after_orders
from keeper.engine.perp.plan import find_hedge_plans, find_perp_plans
from keeper.engine.perp.preflight import PerpPrepared, first_that_works
from keeper.engine.perp.stops import keep_stops, take_back
from keeper.engine.perp.submit import conclude_holds, conclude_plan
from keeper.engine.perp.unwind import gives_up, stand_by
from keeper.engine.submit import once_sent
from keeper.execution.perp_executor import PerpOutcome
from keeper.journal import JournalError
from keeper.venues.ports import ReadFailedError


@dataclass(frozen=True, slots=True)
class PerpResult:
    """One position's or book's way through one cycle, as far as it went."""

    name: str
    assessed: PerpAssessment | BookAssessment | Unjudged
    decision: Hold | PerpIntent | HedgeIntent
    prepared: PerpPrepared | None = None
    outcome: PerpOutcome | asyncio.Task[PerpOutcome] | None = None
    others: tuple[Hold, ...] = ()
    """What the other rules came to, each under its own name: alerts, and rescues that found no way."""

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Everything that is told of the rules but the plan."""
        return (self.decision, *self.others) if isinstance(self.decision, Hold) else self.others


async def keep_perp(engine: Engine, snapshot: Snapshot, position: PerpPosition | Unreadable) -> PerpResult:
    """Take one perpetual position the whole way. Its trouble is not another's."""
    try:
        result = await consider_perp(engine, snapshot, position)
        if isinstance(position, PerpPosition):
            back = await look_after_orders(engine, snapshot, position)
            await notice(engine, position)
            if back is not None:
                await take_back(engine, snapshot, position, back)
                result = _after_that(engine, result)
        if any(hold.reason is Reason.SIGNER_BUSY for hold in result.holds):
            engine.state.wanted.add(engine.reader.positions[position.name].spender)
        if isinstance(result.decision, Hold):
            await conclude_holds(engine, snapshot, result.assessed, result.holds)
            if isinstance(position, PerpPosition):
                await keep_stops(engine, snapshot, position)
            return result
        assert result.prepared  # noqa: S101 - an intent comes with its plan, else it became a Hold
        outcome = await conclude_plan(engine, snapshot, result.prepared)  # the rescue goes first
        with once_sent(engine, position.name):
            await conclude_holds(engine, snapshot, result.assessed, result.holds, result.decision.rule.name)
        return replace(result, outcome=outcome)
    except (NodeError, ReadFailedError, JournalError) as error:
        return _in_the_dark(engine, position.name, error)


async def consider_perp(engine: Engine, snapshot: Snapshot, position: PerpPosition | Unreadable) -> PerpResult:
    """Return what would be done about one position and why, down to the rehearsed calls. Sends nothing."""
    assessed = await judge_perp(engine, snapshot, position)
    signer = engine.reader.positions[position.name].spender
    fired = assessed.fired if isinstance(assessed, PerpAssessment) else ()
    decided = decide_perp(assessed, await engine.recall_of(fired, snapshot.block), engine.terms.safety, signer)
    holds = decided.holds
    for intent in decided.intents:
        ways = await find_perp_plans(engine, snapshot, intent)
        prepared = ways if isinstance(ways, Hold) else await first_that_works(engine, snapshot, ways)
        if isinstance(prepared, PerpPrepared):
            return PerpResult(position.name, assessed, intent, prepared, others=holds)
        holds = (*holds, prepared)
    lead = gravest(holds)
    return PerpResult(position.name, assessed, lead, others=tuple(h for h in holds if h is not lead))


async def keep_book(engine: Engine, snapshot: Snapshot, book: Book, rule: HedgeRule) -> PerpResult:
    """Take one book the whole way: its delta, the trade that brings it back, and the first leg when that cannot be."""
    try:
        result = await consider_book(engine, snapshot, book, rule)
        assert isinstance(result.assessed, BookAssessment)  # noqa: S101 - a book is always assessed
        if isinstance(result.decision, Hold):
            await conclude_holds(engine, snapshot, result.assessed, result.holds)
            await stand_by(engine, snapshot, result.assessed, result.decision)
            return result
        await stand_by(engine, snapshot, result.assessed, None)
        assert result.prepared  # noqa: S101 - an intent comes with its plan, else it became a Hold
        outcome = await conclude_plan(engine, snapshot, result.prepared)
        with once_sent(engine, book.name):
            await conclude_holds(engine, snapshot, result.assessed, result.holds, rule.name)
        return replace(result, outcome=outcome)
    except (NodeError, ReadFailedError, JournalError) as error:
        return _in_the_dark(engine, book.name, error)


async def consider_book(engine: Engine, snapshot: Snapshot, book: Book, rule: HedgeRule) -> PerpResult:
    """Return what would be done about one book and why, down to the rehearsed calls. Sends nothing."""
    assessed = await judge_book(engine, snapshot, book, rule)
    hedges = tuple(p for p in snapshot.positions if p.name in book.hedges and isinstance(p, PerpPosition))
    signers = {name: engine.reader.positions[name].spender for name in book.hedges}
    memory = await engine.recall_of(assessed.fired, snapshot.block)
    decided = decide_hedge(assessed, hedges, memory, signers)
    if isinstance(decided.lead, Hold):
        return PerpResult(book.name, assessed, decided.lead)
    if gives_up(assessed):
        detail = f"{assessed.naked.tries} orders failed"
        return PerpResult(book.name, assessed, decided.lead.hold(Reason.TOO_MANY_FAILURES, detail))
    ways = await find_hedge_plans(engine, snapshot, decided.intents)
    if isinstance(ways, Hold):
        return PerpResult(book.name, assessed, ways)
    prepared = await first_that_works(engine, snapshot, ways)
    if isinstance(prepared, Hold):
        return PerpResult(book.name, assessed, prepared)
    assert isinstance(prepared.plan.intent, HedgeIntent)  # noqa: S101 - hedge plans come from hedge intents
    return PerpResult(book.name, assessed, prepared.plan.intent, prepared)


def _after_that(engine: Engine, result: PerpResult) -> PerpResult:
    """Return the result, held where an order is being taken back: a signer does one thing at a time."""
    signer = engine.reader.positions[result.name].spender
    if isinstance(result.decision, PerpIntent) and signer in engine.state.in_flight:
        held = result.decision.hold(Reason.IN_FLIGHT, "an order taken back")
        return PerpResult(result.name, result.assessed, held, others=result.others)
    return result


def _in_the_dark(engine: Engine, name: str, error: Exception) -> PerpResult:
    """Tell that a position could not be seen to at this block. Nothing was sent: the journal comes before the wire."""
    if isinstance(error, JournalError):
        reason = Reason.JOURNAL_AWAY
    else:
        reason = Reason.NODES_DISAGREE if isinstance(error, NodesDisagreeError) else Reason.NODE_AWAY
    engine.observer.held(name, None, reason, str(error))
    return PerpResult(name, Unjudged(name, Doubt(reason, str(error))), Hold(name, None, reason, str(error)))
