"""The end of a plan's way through a cycle: written down, reported, and, in live mode, sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from keeper.core.lending.plan import Plan
from keeper.core.notices import Ended
from keeper.core.perp.plan import PerpPlan
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address, Usd
from keeper.engine import report
from keeper.engine.engine import Engine
from keeper.engine.holds import where
from keeper.engine.report import Data
from keeper.engine.rows import seen
from keeper.execution.course import Reconsider
from keeper.execution.executor import Errand, Executor, O
from keeper.execution.rehearsal import Refused
from keeper.execution.sender import Sender
from keeper.journal import Entry, JournalError, NewDecision
from keeper.journal.decisions import Doing

SENDING_ERRORS = 3
"""Defects in a row in the sending after which nothing is signed until some cycles went well."""
CHANGES = 5
"""Times a plan may give way to another at once, pending or refused for its price, before it waits for the block."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the journal keeps of a plan of one kind, beside what it keeps of all."""

    plan: Data
    rehearsal: Data
    doing: Doing = "act"


@dataclass(frozen=True, slots=True)
class Heading:
    """How it stands afterwards, by the figure its owner goes by (Wad; None where it is not known), and in words."""

    figure: int | None
    called: str
    said: tuple[str, str] | None


class Departure(Protocol[O]):
    """One rehearsed plan about to go out: all that differs by kind."""

    @property
    def snapshot(self) -> Snapshot:
        """What it was decided on."""

    @property
    def plan(self) -> Plan | PerpPlan:
        """What will be done."""

    @property
    def refused(self) -> Sequence[tuple[Plan | PerpPlan, Refused]]:
        """Better ones that did not pass their trial."""

    @property
    def signer(self) -> Address:
        """Who signs it."""

    @property
    def subject(self) -> str:
        """Under what name is kept in mind what the owner heard."""

    @property
    def look(self) -> Reconsider:
        """Asked before more is offered for it."""

    def written(self) -> Written:
        """Return what the journal keeps of it."""

    def rehearsed(self) -> O:
        """Return the outcome of a plan that was only to be rehearsed."""

    def without_signer(self) -> O:
        """Return the outcome where nobody can sign it."""

    def errand(self, executor: Executor[Sender], entry: Entry, spent: Usd) -> Errand[O]:
        """Return the plan ready to go. ``spent`` is what its rule has moved today."""

    def expects_change(self) -> None:
        """Keep in mind that the position changes by our own hand."""

    def heading(self, outcome: O) -> Heading:
        """Return how it stands afterwards."""

    def outcome(self, outcome: O) -> Data:
        """Return what came of it, as plain data."""

    async def remember(self, decision_id: int, outcome: O) -> None:
        """Keep what lasts longer than the plan. Raises JournalError."""

    async def following(self, outcome: O) -> Departure[O] | None:
        """Return what is sent at once after it, or in its place; None where the next block decides."""


async def submit(engine: Engine, it: Departure[O]) -> O | asyncio.Task[O]:
    """Write a plan down, then send it in a task of its own; in dry run the rehearsal was all. Raises JournalError."""
    entry, executor = _entry(engine, it), engine.senders.get(it.signer)
    if executor is None or executor.lane.ready_nonce(it.snapshot.block) is None:
        await engine.journal.decisions.written(entry)  # else with the first bytes signed for it, in one commit
    engine.state.said[it.subject] = ()
    if engine.terms.mode == "dry_run":
        outcome = it.rehearsed()
        await _finish(engine, it, entry, outcome)
        return outcome
    engine.state.wanted.discard(it.signer)
    task = asyncio.create_task(_send(engine, it, entry))
    engine.state.in_flight.begin(it.signer, it.plan.intent.position, task)
    if executor is not None:
        executor.lane.convoy.expect(task)
    it.expects_change()
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


def _entry(engine: Engine, it: Departure[O], replaces: int | None = None) -> Entry:
    """Return a plan as it goes into the journal, and log it."""
    plan, kept = it.plan, it.written()
    intent = plan.intent
    engine.observer.planned(intent.position, intent.rule.name, plan.label, plan.cost.total, is_partial=plan.is_partial)
    alternatives = [report.rejected(r) for r in plan.rejected]
    alternatives += [{"label": p.label, "reason": why.reason.code, "detail": why.detail} for p, why in it.refused]
    inputs = report.inputs(it.snapshot, seen(intent.assessment))
    return Entry(
        NewDecision(
            **where(it.snapshot.block),
            position=intent.position,
            rule=intent.rule.name,
            mode=engine.terms.mode,
            kind=kept.doing,
            reason=Reason.RULE_FIRED.code,
            summary=f"{plan.label}{' (partial)' if plan.is_partial else ''}",
            inputs=inputs if replaces is None else inputs | {"replaces_decision": replaces},
            alternatives=alternatives,
            plan=kept.plan,
            rehearsal=kept.rehearsal,
        )
    )


async def _send(engine: Engine, it: Departure[O], entry: Entry) -> O:
    """Send a plan; where another is right once more is to be offered, or the market moved away, send that at once."""
    displaced, gave_way = Usd(0), False
    for _ in range(CHANGES):
        outcome = replace(await _carry_out(engine, it, entry, displaced), gave_way=gave_way)
        gave_way |= outcome.may_have_left_something
        await _finish(engine, it, entry, outcome)
        following = await it.following(outcome)
        if following is None:
            break
        displaced = it.plan.spend if outcome.reason is Reason.SUPERSEDED else Usd(0)
        it, entry = following, _entry(engine, following, entry.id)
    return outcome


async def _carry_out(engine: Engine, it: Departure[O], entry: Entry, displaced: Usd) -> O:
    """Send one plan. ``displaced`` is what the pending plan it replaces was counted with."""
    executor = engine.senders.get(it.signer)
    if executor is None:
        return it.without_signer()
    spent = await engine.spent_today(it.plan.intent.rule, it.snapshot.block)
    outcome = await executor.execute(it.errand(executor, entry, Usd(max(0, spent - displaced))), it.look)
    it.expects_change()
    return outcome


async def _finish(engine: Engine, it: Departure[O], entry: Entry, outcome: O) -> None:
    intent, found = it.plan.intent, it.heading(outcome)
    end = Ended(intent.position, intent.rule.name, it.plan.label, outcome.kind, outcome.reason, outcome.detail)
    engine.observer.concluded(end, found.figure, found.said, subject=it.subject, figure=found.called)
    try:
        decision_id = await engine.journal.decisions.written(entry)
        await engine.journal.decisions.record_outcome(decision_id, outcome.kind, it.outcome(outcome))
        await it.remember(decision_id, outcome)
    except JournalError as error:
        engine.observer.held(intent.position, intent.rule.name, Reason.JOURNAL_AWAY, str(error))
