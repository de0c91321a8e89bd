"""Holds, as they are reported and written down: what no plan came of, each rule under its own name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypedDict

from keeper.chain.errors import NodesDisagreeError
from keeper.core.decide import Hold
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import BlockRef
from keeper.engine import report
from keeper.engine.case import A, Case, I, R
from keeper.engine.engine import Engine
from keeper.engine.result import Result
from keeper.engine.rows import seen
from keeper.journal import JournalError, NewDecision
from keeper.journal.decisions import Kind

AT_REST = ((None, Reason.HEALTHY),)
"""What is said of a subject of which no rule asks for anything."""


async def conclude_holds(
    engine: Engine, case: Case[A, I, R], assessed: A | Unjudged, holds: Sequence[Hold], acting: str | None = None
) -> None:
    """Report every alert and refusal, and write them down: a journal that fails silences no alarm.

    ``acting`` is the rule whose plan is on its way. Raises JournalError.
    """
    if _is_at_rest(engine, case.subject, holds, acting):
        return
    engine.observer.judged(case.subject, case.notices(assessed, holds), lambda: case.standing(assessed), acting)

    def inputs() -> report.Data:
        return report.inputs(case.snapshot, seen(assessed))

    await _write_holds(engine, case.snapshot.block, case.subject, holds, inputs)


def _is_at_rest(engine: Engine, subject: str, holds: Sequence[Hold], acting: str | None) -> bool:
    """Whether no rule asks for anything, and that is how it was: then it is counted, and no more is done."""
    if acting or len(holds) > 1 or holds[0].reason is not Reason.HEALTHY:
        return False
    return engine.state.said.get(subject) == AT_REST and engine.observer.stays_at_rest(subject, holds[0].position)


@contextmanager
def once_sent(engine: Engine, name: str) -> Iterator[None]:
    """What is written after a plan went out is no reason to lose sight of it: a journal that is away is reported."""
    try:
        yield
    except JournalError as error:
        engine.observer.held(name, None, Reason.JOURNAL_AWAY, str(error))


async def _write_holds(
    engine: Engine, block: BlockRef, subject: str, holds: Sequence[Hold], inputs: Callable[[], report.Data]
) -> None:
    """Write down what the rules of a subject came to, each under its own name; a repeated one is not written again.

    A ``subject`` is a position, or a book under one of its rules. Raises JournalError.
    """
    said, now = engine.state.said.get(subject, ()), tuple([(hold.rule, hold.reason) for hold in holds])
    if now == said:
        return
    for hold, key in zip(holds, now, strict=True):
        if key not in said:
            await engine.journal.decisions.record_hold(_row(engine, block, hold, inputs()))
            engine.state.said[subject] = said = (*said, key)
    engine.state.said[subject] = now


def _row(engine: Engine, block: BlockRef, hold: Hold, inputs: report.Data) -> NewDecision:
    is_alert = hold.reason in (Reason.ALERT_ONLY, Reason.COOLDOWN)
    kind: Kind = "hold" if hold.is_quiet else "alert" if is_alert else "danger"
    return NewDecision(
        **where(block),
        position=hold.position,
        rule=hold.rule,
        mode=engine.terms.mode,
        kind=kind,
        reason=hold.reason.code,
        summary=f"{hold.reason.short}{f': {hold.detail}' if hold.detail else ''}",
        inputs=inputs,
    )


class _Where(TypedDict):
    chain_id: int
    block_number: int
    block_hash: str
    block_timestamp: int


def where(block: BlockRef) -> _Where:
    """Return the block as a decision's row names it."""
    return {
        "chain_id": block.chain_id,
        "block_number": block.number,
        "block_hash": block.hash,
        "block_timestamp": block.timestamp,
    }


def in_the_dark(engine: Engine, case: Case[A, I, R], error: Exception) -> Result:
    """Report that a case could not be seen to at this block. Nothing was sent: the journal comes before the wire."""
    if isinstance(error, JournalError):
        reason = Reason.JOURNAL_AWAY
    else:
        reason = Reason.NODES_DISAGREE if isinstance(error, NodesDisagreeError) else Reason.NODE_AWAY
    name, family = case.name, case.family
    engine.observer.held(name, None, reason, str(error))
    return Result(name, family, Unjudged(name, Doubt(reason, str(error))), Hold(name, None, reason, str(error)))
