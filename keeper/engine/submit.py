"""The end of a position's way through a cycle: written down, reported, and, in live mode, sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypedDict

from keeper.chain.errors import NodeError
from keeper.core.decide import Hold, Intent
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import BlockRef, Snapshot, Wallet
from keeper.core.units import Address, Usd
from keeper.engine import report
from keeper.engine.case import A, Case, I, R
from keeper.engine.deeds import outcome_said
from keeper.engine.engine import Engine
from keeper.engine.plan import look_again
from keeper.engine.preflight import Prepared, grant_of
from keeper.engine.unconfirmed import unconfirmed
from keeper.execution.lending_errand import Warrant
from keeper.execution.outcome import Outcome
from keeper.execution.recheck import Keep, Unsure, Verdict, verdict
from keeper.journal import Entry, JournalError, NewDecision
from keeper.journal.decisions import Kind
from keeper.observe.observer import Ended
from keeper.venues.ports import ReadFailedError

SENDING_ERRORS = 3
"""Defects in a row in the sending after which nothing is signed until some cycles went well."""
AT_REST = ((None, Reason.HEALTHY),)
"""What is said of a subject of which no rule asks for anything."""
CHANGES = 5
"""Times a plan may give way to another at once, pending or refused for its price, before it waits for the block."""


async def conclude_holds(
    engine: Engine, case: Case[A, I, R], assessed: A | Unjudged, holds: Sequence[Hold], acting: str | None = None
) -> None:
    """Report every alert and refusal, and write them down: a journal that fails silences no alarm.

    ``acting`` is the rule whose plan is on its way. Raises JournalError.
    """
    if _is_at_rest(engine, case.subject, holds, acting):
        return
    engine.observer.judged(case.subject, case.notices(assessed, holds), lambda: case.standing(assessed), acting)
    await _write_holds(engine, case.snapshot.block, case.subject, holds, lambda: case.inputs(assessed))


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


async def conclude_plan(
    engine: Engine, snapshot: Snapshot, intent: Intent, prepared: Prepared, signer: Address
) -> Outcome | asyncio.Task[Outcome]:
    """Write down a plan, then send it in a task of its own; in dry run the rehearsal was all."""
    entry = _entry(engine, snapshot.block, report.inputs(snapshot, report.assessment(intent.assessment)), prepared)
    executor = engine.senders.get(signer)
    if executor is None or executor.lane.ready_nonce(snapshot.block) is None:
        await engine.journal.decisions.written(entry)  # else with the first bytes signed for it, in one commit
    engine.state.said[intent.position] = ()
    if engine.terms.mode == "dry_run":
        outcome = Outcome("rehearsed", Reason.REHEARSED, prepared.rehearsed.where, prepared.rehearsed.after)
        await _finish(engine, prepared, entry, outcome)
        return outcome
    task = asyncio.create_task(_send(engine, snapshot.wallets[signer], prepared, entry))
    engine.state.in_flight.begin(signer, intent.position, task)
    if executor is not None:
        executor.lane.convoy.expect(task)
    task.add_done_callback(lambda done: landed(engine, done))
    return task


def landed(engine: Engine, task: asyncio.Task[Any]) -> None:
    """Free the lane; a defect in the sending is as loud as one in a cycle."""
    engine.state.landed(task)
    error = None if task.cancelled() else task.exception()
    engine.state.sending_errors = 0 if error is None else engine.state.sending_errors + 1
    if error is not None:
        engine.observer.cycle_failed(error, engine.state.sending_errors)
    if engine.state.sending_errors >= SENDING_ERRORS and engine.state.may_sign:
        engine.state.may_sign = False
        engine.observer.sending_stopped(engine.state.sending_errors)


def _entry(engine: Engine, block: BlockRef, inputs: report.Data, prepared: Prepared) -> Entry:
    """Return a plan as it goes into the journal, and log it."""
    plan = prepared.plan
    intent = plan.intent
    engine.observer.planned(intent.position, intent.rule.name, plan.label, plan.cost.total, is_partial=plan.is_partial)
    alternatives = [report.rejected(r) for r in plan.rejected]
    alternatives += [{"label": p.label, "reason": why.reason.code, "detail": why.detail} for p, why in prepared.refused]
    return Entry(
        NewDecision(
            **where(block),
            position=intent.position,
            rule=intent.rule.name,
            mode=engine.terms.mode,
            kind="act",
            reason=Reason.RULE_FIRED.code,
            summary=f"{plan.label}{' (partial)' if plan.is_partial else ''}",
            inputs=inputs,
            alternatives=alternatives,
            plan=report.plan(plan, prepared.script.calls) | report.fee(prepared.stake, prepared.ceiling),
            rehearsal=report.rehearsal(prepared.rehearsed),
        )
    )


async def _send(engine: Engine, wallet: Wallet, prepared: Prepared, entry: Entry) -> Outcome:
    """Send a plan; where another is right once more is to be offered, or the price moved away, send that at once."""
    displaced, gave_way = Usd(0), False
    for _ in range(CHANGES):
        look = SecondLook(engine, prepared)
        outcome = await _send_one(engine, wallet, prepared, entry, look, displaced)
        outcome = replace(outcome, gave_way=gave_way)
        gave_way |= outcome.may_have_left_something
        await _finish(engine, prepared, entry, outcome)
        following = await _next_after(engine, outcome, look, prepared)
        if following is None:
            break
        displaced = prepared.plan.spend if outcome.reason is Reason.SUPERSEDED else Usd(0)
        prepared = following
        wallet = prepared.wallet or wallet
        assessed = prepared.plan.intent.assessment
        inputs: report.Data = {"position": report.assessment(assessed), "replaces_decision": entry.id}
        entry = _entry(engine, assessed.position.block, inputs, prepared)
    return outcome


async def _next_after(engine: Engine, outcome: Outcome, look: SecondLook, sent: Prepared) -> Prepared | None:
    """Return what is sent at once in the place of a plan: what took its place, or one for the price as it is now.

    A price that moved under a plan refuses its swap, or leaves too little health for the round that comes next.
    """
    if outcome.reason is Reason.SUPERSEDED and isinstance(look.seen, Prepared):
        return look.seen
    is_cut_short = outcome.reason is Reason.FLOOR_TOO_NEAR and outcome.kind == "partial"
    if outcome.reason is not Reason.PRICE_MOVED and not is_cut_short:
        return None
    try:
        seen = await look_again(engine, sent.plan.intent.position, Usd(0))
    except (NodeError, ReadFailedError, JournalError):
        return None  # the next block decides anew
    return seen if isinstance(seen, Prepared) else None


async def _send_one(
    engine: Engine, wallet: Wallet, prepared: Prepared, entry: Entry, look: SecondLook, displaced: Usd
) -> Outcome:
    """Send one plan. ``displaced`` is what the pending plan it replaces was counted with."""
    intent = prepared.plan.intent
    block, signer = intent.assessment.position.block, engine.reader.positions[intent.position].spender
    executor = engine.senders.get(signer)
    if executor is None:
        return Outcome("failed", Reason.NO_SIGNER, intent.position, None)
    spent = Usd(max(0, await engine.spent_today(intent.rule, block) - displaced))
    grant = grant_of(engine, block, prepared.plan, signer, spent)
    warrant = Warrant(entry, grant, wallet, prepared.ceiling)
    errand = executor.lending.errand(prepared.plan, prepared.script, prepared.rehearsed, warrant)
    return await executor.execute(errand, look)


class SecondLook:
    """Asked before more is offered for a pending plan: is it still right? Keeps what it saw for the next plan."""

    def __init__(self, engine: Engine, sent: Prepared) -> None:
        self._engine = engine
        self._sent = sent
        self.seen: Prepared | Hold | None = None

    async def __call__(self, has_begun: bool) -> Verdict:
        """Return what becomes of the plan; the owner hears where nobody can say, and that nothing more is bid."""
        sent = self._sent
        if has_begun:
            return Keep(sent.ceiling)
        found = await self._looked()
        if isinstance(found, Unsure):
            unconfirmed(self._engine, sent.plan.intent.position, found)
        return found

    async def _looked(self) -> Verdict:
        plan = self._sent.plan
        try:
            self.seen = await look_again(self._engine, plan.intent.position, plan.spend)
        except NodeError as error:
            return Unsure(Reason.NODE_AWAY, str(error))
        except ReadFailedError as error:
            return Unsure(Reason.POSITION_UNREADABLE, error.doubt.detail)
        now = self.seen.plan if isinstance(self.seen, Prepared) else self.seen
        ceiling = self.seen.ceiling if isinstance(self.seen, Prepared) else self._sent.ceiling
        return verdict(plan, now, ceiling, has_begun=False)


async def _finish(engine: Engine, prepared: Prepared, entry: Entry, outcome: Outcome) -> None:
    intent = prepared.plan.intent
    health = outcome.after.health_factor if outcome.after else None
    plan = prepared.plan
    end = Ended(intent.position, intent.rule.name, plan.label, outcome.kind, outcome.reason, outcome.detail)
    engine.observer.concluded(end, health, outcome_said(plan, outcome), subject=intent.position)
    try:
        decision_id = await engine.journal.decisions.written(entry)
        await engine.journal.decisions.record_outcome(decision_id, outcome.kind, report.outcome(outcome))
    except JournalError as error:
        engine.observer.held(intent.position, intent.rule.name, Reason.JOURNAL_AWAY, str(error))


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
