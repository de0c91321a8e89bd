"""The whole story of one block, the same for every kind of position:

head ─► Snapshot ─► Assessment ─► Decision ─► Plan ─► Preflight ─► Transaction ─► Outcome

Each arrow is one function, each noun one frozen type. Nothing flows backwards: what a later stage learns reaches an
earlier one only as data of the next cycle, through the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import groupby

from keeper.chain.errors import NodeError, NodesDisagreeError
from keeper.core.decide import Decided, Hold, gravest
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import BlockRef
from keeper.engine.case import A, AnyCase, Case, Considered, I, R
from keeper.engine.cases import cases_of
from keeper.engine.convoys import going_together
from keeper.engine.engine import Engine
from keeper.engine.holds import conclude_holds, once_sent
from keeper.engine.result import AnyOutcome, Result
from keeper.journal import JournalError
from keeper.snapshot.second_reader import is_near
from keeper.venues.ports import ReadFailedError

Urgency = tuple[bool, bool, int, int]


async def cycle(engine: Engine, block: BlockRef) -> tuple[Result, ...]:
    """Judge every position and book at a block, and act where a rule asks for it. Raises NodeError: nothing was read.

    Of those judged together who has most to lose comes first; what comes later meets what was decided before it, and
    goes out with it. Results keep the settings' order.
    """

    async def looked(case: Case[A, I, R], /) -> Looked:
        return await look(engine, case)

    snapshot = await engine.snapshot(block)
    cases, found = cases_of(engine, snapshot), dict[int, Result]()
    waves = [tuple(wave) for _, wave in groupby(sorted(cases, key=_wave), _wave)]
    with going_together(engine) as convoys:
        for i, wave in enumerate(waves, 1):
            later = {case.signer for after in waves[i:] for case in after}
            ones = [await case.open(looked) for case in wave]
            convoys.expect([one.case.signer for one in ones if one.wants_to_act], later)
            for one in sorted(ones, key=lambda one: one.urgency):
                found[id(one.case)] = await one.keep()
    results = tuple(found[id(case)] for case in cases)
    engine.reader.keep_close(result.name for result in results if not result.is_healthy)
    engine.reader.compare_first(result.name for result in results if is_near(result.assessed))
    return results


@dataclass(frozen=True, slots=True)
class Looked:
    """A case that was judged, and the rest of its way; nothing is planned yet."""

    case: AnyCase
    urgency: Urgency
    """Who has most to lose is smallest; who asks for nothing comes last."""
    wants_to_act: bool
    keep: Callable[[], Awaitable[Result]]


async def look(engine: Engine, case: Case[A, I, R], /) -> Looked:
    """Judge a case and decide what its rules ask for; in the dark where that cannot be known."""
    try:
        assessed = await case.assess()
        decided = await case.decide(assessed)
    except (NodeError, ReadFailedError, JournalError) as error:
        dark = in_the_dark(engine, case, error)

        async def stay() -> Result:
            return dark

        return Looked(case, (True, False, 0, 0), False, stay)

    async def rest() -> Result:
        return await keep(engine, case, assessed, decided)

    most = min((case.urgency(intent) for intent in decided.intents), default=None)
    return Looked(case, (most is None, *(most or (False, 0, 0))), most is not None, rest)


async def keep(engine: Engine, case: Case[A, I, R], assessed: A | Unjudged, decided: Decided[I]) -> Result:
    """Take a case the rest of the way: planned, rehearsed, sent, and written down.

    One's trouble is not another's: what cannot be asked or written down becomes a Hold, and is reported.
    """
    try:
        found = await case.tend(await considered(case, decided))
        if any(hold.reason is Reason.SIGNER_BUSY for hold in found.holds):
            engine.state.wanted.add(case.signer)
        outcome: AnyOutcome | asyncio.Task[AnyOutcome] | None = None
        if found.prepared is None or isinstance(found.decision, Hold):
            await conclude_holds(engine, case, assessed, found.holds)
            await case.follow_up(assessed, found.decision)
        else:
            outcome = await case.submit(found.prepared)  # the rescue goes first
            case.goes_ahead(found.prepared, outcome)
            with once_sent(engine, case.name):
                await conclude_holds(engine, case, assessed, found.holds, found.decision.rule.name)
                await case.follow_up(assessed, found.decision)
        return Result(case.name, case.family, assessed, found.decision, found.prepared, outcome, found.others)
    except (NodeError, ReadFailedError, JournalError) as error:
        return in_the_dark(engine, case, error)


async def considered(case: Case[A, I, R], decided: Decided[I]) -> Considered[I, R]:
    """Return the plan for what the rules ask for, rehearsed upon those before it; else why there is none.

    Rules are tried in their order: one that finds no way never hides the next.
    """
    holds = decided.holds
    for intent in decided.intents:
        prepared = await case.prepare(intent)
        if not isinstance(prepared, Hold):
            return Considered(intent, prepared, holds)
        holds = (*holds, prepared)
    lead = gravest(holds)
    return Considered(lead, None, tuple(hold for hold in holds if hold is not lead))


async def consider(case: Case[A, I, R], /) -> Result:
    """Return what would be done about a case and why, down to the rehearsed calls. Sends nothing."""
    assessed = await case.assess()
    found = await considered(case, await case.decide(assessed))
    return Result(case.name, case.family, assessed, found.decision, found.prepared, None, found.others)


def in_the_dark(engine: Engine, case: Case[A, I, R], error: Exception) -> Result:
    """Report that a case could not be seen to at this block. Nothing was sent: the journal comes before the wire."""
    if isinstance(error, JournalError):
        reason = Reason.JOURNAL_AWAY
    else:
        reason = Reason.NODES_DISAGREE if isinstance(error, NodesDisagreeError) else Reason.NODE_AWAY
    name, family = case.name, case.family
    engine.observer.held(name, None, reason, str(error))
    return Result(name, family, Unjudged(name, Doubt(reason, str(error))), Hold(name, None, reason, str(error)))


def _wave(case: AnyCase) -> int:
    return case.wave
