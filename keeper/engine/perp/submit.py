"""The end of a perpetual plan's way through a cycle: written down, reported, and, in live mode, sent."""

from __future__ import annotations

import asyncio

from keeper.core.book.rules import HedgeIntent, HedgeRule
from keeper.core.book.unhedged import failed as order_failed
from keeper.core.perp import margin as perps
from keeper.core.perp.rules import PerpRule
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot
from keeper.core.units import Usd
from keeper.engine.engine import Engine
from keeper.engine.perp import report
from keeper.engine.perp.make_up import rest_of
from keeper.engine.perp.notices import outcome_said
from keeper.engine.perp.preflight import PerpPrepared, grant_of
from keeper.engine.perp.recheck import PerpLook
from keeper.engine.report import inputs, rejected
from keeper.engine.submit import CHANGES, landed, where
from keeper.execution.outcome import PerpOutcome
from keeper.execution.perp_errand import PerpWarrant
from keeper.journal import JournalError, NewDecision
from keeper.observe.observer import Ended

FIGURE = "margin ratio"
MAKE_UPS = 2
"""Plans that may follow a near miss at once."""


def subject(rule: PerpRule | HedgeRule) -> str:
    """Return under what name it is kept in mind what was written: a book has several rules, each judged by itself."""
    return f"{rule.book}:{rule.name}" if isinstance(rule, HedgeRule) else rule.position


async def conclude_plan(
    engine: Engine, snapshot: Snapshot, prepared: PerpPrepared
) -> PerpOutcome | asyncio.Task[PerpOutcome]:
    """Write down a plan, then send it in a task of its own; in dry run the rehearsal was all."""
    decision_id = await _record(engine, snapshot, prepared)
    intent = prepared.plan.intent
    engine.state.said[subject(intent.rule)] = ()
    if engine.terms.mode == "dry_run":
        outcome = PerpOutcome("rehearsed", Reason.REHEARSED, prepared.where, prepared.after)
        await _finish(engine, prepared, decision_id, outcome)
        return outcome
    signer = engine.reader.positions[prepared.plan.before.name].spender
    engine.state.wanted.discard(signer)
    task = asyncio.create_task(_send(engine, snapshot, prepared, decision_id))
    engine.state.in_flight.begin(signer, intent.position, task)
    executor = engine.senders.get(signer)
    if executor is not None:
        executor.lane.convoy.expect(task)
    engine.perps.expected.add(prepared.plan.before.name)
    task.add_done_callback(lambda done: landed(engine, done))
    return task


async def _record(engine: Engine, snapshot: Snapshot, prepared: PerpPrepared) -> int:
    plan = prepared.plan
    intent, assessed = plan.intent, plan.intent.assessment
    engine.observer.planned(intent.position, intent.rule.name, plan.label, plan.cost.total, is_partial=plan.is_partial)
    alternatives = [rejected(r) for r in plan.rejected]
    alternatives += [{"label": p.label, "reason": why.reason.code, "detail": why.detail} for p, why in prepared.refused]
    return await engine.journal.decisions.record(
        NewDecision(
            **where(snapshot.block),
            position=intent.position,
            rule=intent.rule.name,
            mode=engine.terms.mode,
            kind="upkeep" if plan.is_upkeep else "act",
            reason=Reason.RULE_FIRED.code,
            summary=f"{plan.label}{' (partial)' if plan.is_partial else ''}",
            inputs=inputs(snapshot, report.judged(assessed)),
            alternatives=alternatives,
            plan=report.plan(plan, prepared.calls, prepared.ceiling),
            rehearsal=report.rehearsal(prepared),
        )
    )


async def _send(engine: Engine, snapshot: Snapshot, prepared: PerpPrepared, decision_id: int) -> PerpOutcome:
    """Send a plan; where another is right once more is to be offered, or a near miss left something, send that at once.

    What a near miss left over is not for the next block: its rule may not fire again before it is far off.
    """
    displaced, made_up = Usd(0), 0
    for _ in range(CHANGES):
        look = PerpLook(engine, prepared)
        outcome = await _carry_out(engine, snapshot, prepared, decision_id, look, displaced)
        following, displaced = None, Usd(0)
        if outcome.reason is Reason.SUPERSEDED:
            following, displaced = look.seen, prepared.plan.spend
        elif outcome.reason is Reason.NEAR_MISS and made_up < MAKE_UPS:
            following, made_up = await rest_of(engine, prepared.plan.intent), made_up + 1
        if following is None:
            break
        snapshot, prepared = following
        decision_id = await _record(engine, snapshot, prepared)
    return outcome


async def _carry_out(
    engine: Engine, snapshot: Snapshot, prepared: PerpPrepared, decision_id: int, look: PerpLook, displaced: Usd
) -> PerpOutcome:
    """Send one plan. ``displaced`` is what the pending plan it replaces was counted with."""
    plan = prepared.plan
    signer = engine.reader.positions[plan.before.name].spender
    executor = engine.senders.get(signer)
    if executor is None:
        outcome = PerpOutcome("failed", Reason.NO_SIGNER, plan.before.name, None)
    else:
        spent = Usd(max(0, await engine.spent_today(plan.intent.rule, snapshot.block) - displaced))
        grant = grant_of(engine, snapshot.block, plan, spent, prepared.gas_price)
        warrant = PerpWarrant(decision_id, grant, prepared.ceiling, prepared.gas_used, snapshot.wallets[signer].native)
        outcome = await executor.execute(executor.perps.errand(plan, prepared.calls, warrant), look)
    engine.perps.expected.add(plan.before.name)
    await _finish(engine, prepared, decision_id, outcome)
    await _remember(engine, prepared, decision_id, outcome)
    return outcome


async def _finish(engine: Engine, prepared: PerpPrepared, decision_id: int, outcome: PerpOutcome) -> None:
    intent, plan = prepared.plan.intent, prepared.plan
    ratio = perps.margin_ratio(outcome.after) if outcome.after else None
    end = Ended(intent.position, intent.rule.name, plan.label, outcome.kind, outcome.reason, outcome.detail)
    engine.observer.concluded(end, ratio, outcome_said(plan, outcome), subject=subject(intent.rule), figure=FIGURE)
    try:
        await engine.journal.decisions.record_outcome(decision_id, outcome.kind, report.outcome(outcome))
    except JournalError as error:
        engine.observer.held(intent.position, intent.rule.name, Reason.JOURNAL_AWAY, str(error))


async def _remember(engine: Engine, prepared: PerpPrepared, decision_id: int, outcome: PerpOutcome) -> None:
    """Keep the orders that still wait with the venue, and count the tries of a hedge that came to nothing."""
    plan = prepared.plan
    try:
        known = await engine.perps.left(plan.before.name)
        still = [o for o in known if o.decision_id != decision_id or o.key in outcome.waiting]
        if tuple(still) != known:
            await engine.perps.set_left(plan.before.name, still)
        if (
            isinstance(plan.intent, HedgeIntent)
            and outcome.kind == "failed"
            and (outcome.failed_orders or not outcome.waiting)
        ):
            naked = await engine.perps.naked_of(plan.intent.rule)
            await engine.perps.set_naked(plan.intent.rule, order_failed(naked))
    except JournalError as error:
        engine.observer.held(plan.intent.position, None, Reason.JOURNAL_AWAY, str(error))
