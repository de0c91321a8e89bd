"""The whole story of one block:

head ─► Snapshot ─► Assessment ─► Decision ─► Plan ─► Rehearsal ─► Transaction ─► Outcome

Each arrow is one function, each noun one frozen type. Nothing flows backwards: what a later stage learns reaches an
earlier one only as data of the next cycle, through the journal.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from keeper.chain.errors import NodeError, NodesDisagreeError
from keeper.core.decide import Decided, Hold, Intent, decide, gravest
from keeper.core.lending.joint import urgency
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Assessment, Unjudged
from keeper.core.snapshot import BlockRef, LendingPosition, Snapshot, Unreadable
from keeper.core.units import Address
from keeper.engine.armed.match import fitting
from keeper.engine.convoys import calls_go_ahead, goes_ahead, going_together
from keeper.engine.engine import Engine
from keeper.engine.foreign_changes import closed_or_missing, notice
from keeper.engine.perp.keep import PerpResult, keep_book, keep_perp
from keeper.engine.plan import judge, rehearsed_now
from keeper.engine.preflight import Prepared
from keeper.engine.submit import conclude_holds, conclude_plan, once_sent
from keeper.execution.executor import Outcome
from keeper.journal import JournalError
from keeper.snapshot.second_reader import is_near
from keeper.venues.ports import ReadFailedError


@dataclass(frozen=True, slots=True)
class Result:
    """One position's way through one cycle, as far as it went."""

    name: str
    assessed: Assessment | Unjudged
    decision: Hold | Intent
    prepared: Prepared | None = None
    outcome: Outcome | asyncio.Task[Outcome] | None = None
    """What came of it; a task while the plan is on its way: the next block is not kept waiting."""
    others: tuple[Hold, ...] = ()
    """What the other rules came to, each under its own name: alerts, and rescues that found no way."""

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Everything that is told of the position's rules but the plan."""
        return (self.decision, *self.others) if isinstance(self.decision, Hold) else self.others

    @property
    def is_healthy(self) -> bool:
        """Whether all that is to be said is that no rule fired."""
        return isinstance(self.decision, Hold) and self.decision.reason is Reason.HEALTHY


async def cycle(engine: Engine, block: BlockRef) -> tuple[Result | PerpResult, ...]:
    """Judge every position and book at a block, and act where a rule asks for it. Raises NodeError: nothing was read.

    Who has most to lose comes first; what comes later meets what was decided before it, and goes out with it. Books
    come last: their delta waits for what was just decided about their positions.
    """
    engine.state.lineage.saw(block)
    engine.ask_around(block)
    engine.warm_up()
    engine.reader.follow(engine.state.rules)
    engine.begin(block)
    engine.state.seen = snapshot = await engine.reader.snapshot(block)
    engine.state.saw(snapshot)
    lending, perps = list[LendingPosition | Unreadable](), list[PerpPosition | Unreadable]()
    for position in snapshot.positions:
        if isinstance(position, PerpPosition) or (isinstance(position, Unreadable) and engine.is_perp(position.name)):
            perps.append(position)
        else:
            lending.append(position)
    found = dict[str, Result | PerpResult]()
    with going_together(engine, {engine.reader.positions[p.name].spender for p in perps}) as convoys:
        seen = [await look(engine, snapshot, position) for position in lending]
        convoys.expect([one.signer for one in seen if isinstance(one, Seen) and one.decided.intents])
        for one in sorted(seen, key=_urgency):  # results keep the settings' order
            result = one if isinstance(one, Result) else await keep(engine, snapshot, one)
            found[result.name] = result
        for perp in perps:
            found[perp.name] = perp_result = await keep_perp(engine, snapshot, perp)
            if isinstance(perp_result.outcome, asyncio.Task) and perp_result.prepared:
                engine.state.in_flight.joins(perp_result.outcome)
                sent, signer = perp_result.prepared, engine.reader.positions[perp.name].spender
                calls_go_ahead(engine, block, perp.name, signer, sent.calls, sent.gas_used)
        books = [await keep_book(engine, snapshot, engine.perps.book(r.book), r) for r in engine.perps.hedge_rules]
    engine.reader.keep_close(r.name for r in found.values() if isinstance(r, Result) and not r.is_healthy)
    engine.reader.compare_first(r.name for r in found.values() if is_near(r.assessed))
    return (*(found[position.name] for position in snapshot.positions), *books)


@dataclass(frozen=True, slots=True)
class Seen:
    """A position that was judged, and what its rules ask for; nothing is planned yet."""

    position: LendingPosition | Unreadable
    signer: Address
    assessed: Assessment | Unjudged
    decided: Decided[Intent]

    @property
    def name(self) -> str:
        """The position's name."""
        return self.position.name


def _urgency(one: Seen | Result) -> tuple[bool, bool, int, int]:
    """Order positions of one block: who has most to lose comes first, who asks for nothing comes last."""
    if isinstance(one, Result) or not one.decided.intents:
        return True, False, 0, 0
    return (False, *min(urgency(intent) for intent in one.decided.intents))


async def look(engine: Engine, snapshot: Snapshot, position: LendingPosition | Unreadable) -> Seen | Result:
    """Judge a position and decide what its rules ask for; in the dark where the journal does not say what was done."""
    try:
        return await _seen(engine, snapshot, position)
    except JournalError as error:
        return _in_the_dark(engine, position.name, Reason.JOURNAL_AWAY, error)


async def _seen(engine: Engine, snapshot: Snapshot, position: LendingPosition | Unreadable) -> Seen:
    assessed = judge(engine, snapshot, position)
    if isinstance(assessed, Unjudged) and assessed.doubt.reason is Reason.NO_POSITION:
        assessed = await closed_or_missing(engine, assessed)
    signer = engine.reader.positions[position.name].spender
    decided = decide(assessed, await engine.recall(assessed, snapshot.block), engine.terms.safety, signer)
    return Seen(position, signer, assessed, decided)


async def keep(engine: Engine, snapshot: Snapshot, seen: Seen) -> Result:
    """Take one position the rest of the way: planned, rehearsed, sent, and written down.

    One position's trouble is not another's: what cannot be asked or written down becomes a Hold, and is told.
    """
    signer = seen.signer
    try:
        result = await prepared_for(engine, snapshot, seen)
        if any(hold.reason is Reason.SIGNER_BUSY for hold in result.holds):
            engine.state.wanted.add(signer)
        if isinstance(result.decision, Hold):
            await conclude_holds(engine, snapshot, result.assessed, result.holds)
            await _notice(engine, seen)
            return result
        assert result.prepared  # noqa: S101 - an intent comes with its plan, else it became a Hold
        # the rescue goes first
        outcome = await conclude_plan(engine, snapshot, result.decision, result.prepared, signer)
        goes_ahead(engine, snapshot.block, signer, result.prepared)
        if isinstance(outcome, asyncio.Task):
            engine.state.in_flight.joins(outcome)
        with once_sent(engine, seen.name):
            await conclude_holds(engine, snapshot, result.assessed, result.holds, result.decision.rule.name)
            await _notice(engine, seen)
        return replace(result, outcome=outcome)
    except NodesDisagreeError as error:
        return _in_the_dark(engine, seen.name, Reason.NODES_DISAGREE, error)
    except (NodeError, ReadFailedError) as error:
        return _in_the_dark(engine, seen.name, Reason.NODE_AWAY, error)
    except JournalError as error:
        return _in_the_dark(engine, seen.name, Reason.JOURNAL_AWAY, error)


async def _notice(engine: Engine, seen: Seen) -> None:
    """Tell of what somebody else did to a position: after what its rules ask for."""
    if isinstance(seen.position, LendingPosition):
        await notice(engine, seen.position, seen.assessed)


def _in_the_dark(engine: Engine, name: str, reason: Reason, error: Exception) -> Result:
    """Tell that a position could not be seen to at this block. Nothing was sent: the journal comes before the wire."""
    engine.observer.held(name, None, reason, str(error))
    return Result(name, Unjudged(name, Doubt(reason, str(error))), Hold(name, None, reason, str(error)))


async def consider(engine: Engine, snapshot: Snapshot, position: LendingPosition | Unreadable) -> Result:
    """Return what would be done about one position and why, down to the rehearsed calls. Sends nothing."""
    return await prepared_for(engine, snapshot, await _seen(engine, snapshot, position))


async def prepared_for(engine: Engine, snapshot: Snapshot, seen: Seen) -> Result:
    """Return the plan for what a position's rules ask for, rehearsed upon those before it; else why there is none."""
    holds, signer = seen.decided.holds, seen.signer
    for intent in seen.decided.intents:
        # what was made ready beforehand knows nothing of what goes before it at this block
        armed = None if engine.state.ahead else await fitting(engine, snapshot, intent, signer)
        prepared = armed or await rehearsed_now(engine, snapshot, intent, signer)
        if isinstance(prepared, Prepared):
            return Result(seen.name, seen.assessed, intent, prepared, others=holds)
        holds = (*holds, prepared)
    lead = gravest(holds)
    return Result(seen.name, seen.assessed, lead, others=tuple(h for h in holds if h is not lead))
