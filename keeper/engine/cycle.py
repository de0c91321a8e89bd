"""The whole story of one block, the same for every kind of position:

head ─► Snapshot ─► Assessment ─► Decision ─► Plan ─► Preflight ─► Transaction ─► Outcome

Each arrow is one function, each noun one frozen type. Nothing flows backwards: what a later stage learns reaches an
earlier one only as data of the next cycle, through the journal. What differs by kind is in the case (``case``).
"""

from __future__ import annotations

import asyncio

from keeper.chain.errors import NodeError
from keeper.core.decide import Decided, Hold, gravest
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import BlockRef
from keeper.engine.beginning import begun
from keeper.engine.case import A, AnyCase, Case, Considered, I, R
from keeper.engine.cases import cases_of
from keeper.engine.engine import Engine
from keeper.engine.holds import conclude_holds, in_the_dark, once_sent
from keeper.engine.result import AnyOutcome, Result
from keeper.engine.waves import Looked, in_order, in_waves
from keeper.journal import JournalError
from keeper.snapshot.second_reader import is_near
from keeper.venues.ports import ReadFailedError

AWAY = (NodeError, ReadFailedError, JournalError)
"""One's trouble is not another's: what cannot be asked or written down becomes a Hold, and is reported."""


async def cycle(engine: Engine, block: BlockRef) -> tuple[Result, ...]:
    """Judge every position and book at a block, and act where a rule asks for it. Raises NodeError: nothing was read.

    Results keep the settings' order.
    """

    async def looked(case: Case[A, I, R], /) -> Looked:
        return await look(engine, case)

    async def look_at(case: AnyCase) -> Looked:
        return await case.open(looked)

    snapshot = await begun(engine, block)
    results = await in_waves(engine, cases_of(engine, snapshot), look_at)
    engine.reader.keep_close(result.name for result in results if not result.is_healthy)
    engine.reader.compare_first(result.name for result in results if is_near(result.assessed))
    return results


async def look(engine: Engine, case: Case[A, I, R], /) -> Looked:
    """Judge a case and decide what its rules ask for; in the dark where that cannot be known."""
    try:
        assessed = await case.assess()
        decided = await case.decide(assessed)
    except AWAY as error:
        dark = in_the_dark(engine, case, error)

        async def stay() -> Result:
            return dark

        return Looked(case, (True, False, 0, 0), False, stay)

    async def rest() -> Result:
        return await keep(engine, case, assessed, decided)

    return in_order(case, decided.intents, rest)


async def keep(engine: Engine, case: Case[A, I, R], assessed: A | Unjudged, decided: Decided[I]) -> Result:
    """Take a case the rest of the way: planned, rehearsed, sent, and written down."""
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
    except AWAY as error:
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
