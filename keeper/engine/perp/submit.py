"""The end of a perpetual plan's way through a cycle: written down, told, and, in live mode, sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from keeper.core.book.rules import BookAssessment, HedgeIntent, HedgeRule
from keeper.core.book.unhedged import failed as order_failed
from keeper.core.decide import Hold
from keeper.core.perp import margin as perps
from keeper.core.perp.rules import PerpAssessment, PerpRule
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import Snapshot
from keeper.core.units import Usd
from keeper.engine.house import House
from keeper.engine.perp import report
from keeper.engine.perp.make_up import rest_of
from keeper.engine.perp.notices import notices_of, outcome_said, standing_of
from keeper.engine.perp.preflight import PerpPrepared, grant_of
from keeper.engine.perp.recheck import PerpLook
from keeper.engine.report import rejected
from keeper.engine.submit import landed, where, write_holds
from keeper.execution.perp_executor import PerpOrder, PerpOutcome
from keeper.journal import JournalError, NewDecision
from keeper.observe.observer import Ended

FIGURE = "margin ratio"
MAKE_UPS = 2
"""Plans that may follow a near miss at once."""


async def conclude_holds(
    house: House,
    snapshot: Snapshot,
    assessed: PerpAssessment | BookAssessment | Unjudged,
    holds: Sequence[Hold],
    acting: str | None = None,
) -> None:
    """Tell every alert and refusal, and write them down: a journal that fails silences no alarm.

    ``acting`` is the rule whose plan is on its way.
    """
    house.observer.judged(_name(assessed), notices_of(assessed, holds), standing_of(assessed), acting)
    await write_holds(house, snapshot.block, _name(assessed), holds, lambda: report.inputs(snapshot, assessed))


def subject(rule: PerpRule | HedgeRule) -> str:
    """Return under what name it is kept in mind what was written: a book has several rules, each judged by itself."""
    return f"{rule.book}:{rule.name}" if isinstance(rule, HedgeRule) else rule.position


def _name(assessed: PerpAssessment | BookAssessment | Unjudged) -> str:
    if isinstance(assessed, BookAssessment):
        return subject(assessed.rule)
    return assessed.name if isinstance(assessed, Unjudged) else assessed.position.name


async def conclude_plan(
    house: House, snapshot: Snapshot, prepared: PerpPrepared
) -> PerpOutcome | asyncio.Task[PerpOutcome]:
    """Write down a plan, then send it in a task of its own; in dry run the rehearsal was all."""
    decision_id = await _record(house, snapshot, prepared)
    intent = prepared.plan.intent
    house.said[subject(intent.rule)] = frozenset()
    if house.mode == "dry_run":
        outcome = PerpOutcome("rehearsed", Reason.REHEARSED, prepared.where, prepared.after)
        await _finish(house, prepared, decision_id, outcome)
        return outcome
    signer = house.watch.positions[prepared.plan.before.name].spender
    house.wanted.discard(signer)
    task = asyncio.create_task(_send(house, snapshot, prepared, decision_id))
    house.in_flight.begin(signer, intent.position, task)
    executor = house.executors.get(signer)
    if executor is not None:
        executor.lane.convoy.expect(task)
    house.perps.expected.add(prepared.plan.before.name)
    task.add_done_callback(lambda done: landed(house, done))
    return task


async def _record(house: House, snapshot: Snapshot, prepared: PerpPrepared) -> int:
    plan = prepared.plan
    intent, assessed = plan.intent, plan.intent.assessment
    house.observer.planned(intent.position, intent.rule.name, plan.label, plan.cost.total, is_partial=plan.is_partial)
    alternatives = [rejected(r) for r in plan.rejected]
    alternatives += [{"label": p.label, "reason": why.reason.code, "detail": why.detail} for p, why in prepared.refused]
    return await house.journal.decisions.record(
        NewDecision(
            **where(snapshot.block),
            position=intent.position,
            rule=intent.rule.name,
            mode=house.mode,
            kind="upkeep" if plan.is_upkeep else "act",
            reason=Reason.RULE_FIRED.code,
            summary=f"{plan.label}{' (partial)' if plan.is_partial else ''}",
            inputs=report.inputs(snapshot, assessed),
            alternatives=alternatives,
            plan=report.plan(plan, prepared.calls, prepared.ceiling),
            rehearsal=report.rehearsal(prepared),
        )
    )


async def _send(house: House, snapshot: Snapshot, prepared: PerpPrepared, decision_id: int) -> PerpOutcome:
    """Send a plan, and what a near miss left over at once: its rule may not fire again before it is far off."""
    outcome = await _carry_out(house, snapshot, prepared, decision_id)
    for _ in range(MAKE_UPS):
        if outcome.reason is not Reason.NEAR_MISS:
            break
        found = await rest_of(house, prepared.plan.intent)
        if found is None:
            break
        snapshot, prepared = found
        outcome = await _carry_out(house, snapshot, prepared, await _record(house, snapshot, prepared))
    return outcome


async def _carry_out(house: House, snapshot: Snapshot, prepared: PerpPrepared, decision_id: int) -> PerpOutcome:
    plan = prepared.plan
    signer = house.watch.positions[plan.before.name].spender
    executor = house.perp_executors.get(signer)
    if executor is None:
        outcome = PerpOutcome("failed", Reason.NO_SIGNER, plan.before.name, None)
    else:
        spent = Usd(await house.spent_today(plan.intent.rule, snapshot.block))
        grant = grant_of(house, snapshot.block, plan, spent, prepared.gas_price)
        order = PerpOrder(decision_id, grant, prepared.ceiling, prepared.gas_used)
        outcome = await executor.execute(plan, prepared.calls, order, PerpLook(house, prepared))
    house.perps.expected.add(plan.before.name)
    await _finish(house, prepared, decision_id, outcome)
    await _remember(house, prepared, decision_id, outcome)
    return outcome


async def _finish(house: House, prepared: PerpPrepared, decision_id: int, outcome: PerpOutcome) -> None:
    intent, plan = prepared.plan.intent, prepared.plan
    ratio = perps.margin_ratio(outcome.after) if outcome.after else None
    end = Ended(intent.position, intent.rule.name, plan.label, outcome.kind, outcome.reason, outcome.detail)
    house.observer.concluded(end, ratio, outcome_said(plan, outcome), subject=subject(intent.rule), figure=FIGURE)
    try:
        await house.journal.decisions.record_outcome(decision_id, outcome.kind, report.outcome(outcome))
    except JournalError as error:
        house.observer.held(intent.position, intent.rule.name, Reason.JOURNAL_AWAY, str(error))


async def _remember(house: House, prepared: PerpPrepared, decision_id: int, outcome: PerpOutcome) -> None:
    """Keep the orders that still wait with the venue, and count the tries of a hedge that came to nothing."""
    plan = prepared.plan
    try:
        known = await house.perps.left(plan.before.name)
        still = [o for o in known if o.decision_id != decision_id or o.key in outcome.waiting]
        if tuple(still) != known:
            await house.perps.set_left(plan.before.name, still)
        if (
            isinstance(plan.intent, HedgeIntent)
            and outcome.kind == "failed"
            and (outcome.failed_orders or not outcome.waiting)
        ):
            naked = await house.perps.naked_of(plan.intent.rule)
            await house.perps.set_naked(plan.intent.rule, order_failed(naked))
    except JournalError as error:
        house.observer.held(plan.intent.position, None, Reason.JOURNAL_AWAY, str(error))
