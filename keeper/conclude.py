"""The end of a position's way through a cycle: written down, told, and, in live mode, sent."""

from __future__ import annotations

import asyncio
from typing import TypedDict

from keeper import report
from keeper.core.decisions import Hold, Intent
from keeper.core.positions import Snapshot
from keeper.core.reasons import Reason
from keeper.core.rules import Assessment, Unjudged
from keeper.core.units import Address
from keeper.execution.executor import Outcome
from keeper.execution.policy import Grant
from keeper.house import House
from keeper.journal import JournalError, NewDecision
from keeper.journal.decisions import Kind
from keeper.prepare import Prepared


async def conclude_hold(house: House, snapshot: Snapshot, assessed: Assessment | Unjudged, hold: Hold) -> None:
    """Write down and tell a refusal; a repeated one is told again to the log only, and not written again."""
    house.observer.held(hold.position, hold.rule, hold.reason, hold.detail, is_quiet=hold.is_quiet)
    key = f"{hold.rule}:{hold.reason.code}"
    if house.said.get(hold.position) == key:
        return
    kind: Kind = "hold" if hold.is_quiet else "alert" if hold.reason is Reason.ALERT_ONLY else "danger"
    await house.journal.decisions.record(
        NewDecision(
            **_where(snapshot),
            position=hold.position,
            rule=hold.rule,
            mode=house.mode,
            kind=kind,
            reason=hold.reason.code,
            summary=f"{hold.reason.short}{f': {hold.detail}' if hold.detail else ''}",
            inputs=report.inputs(snapshot, assessed),
        )
    )
    house.said[hold.position] = key


async def conclude_plan(
    house: House, snapshot: Snapshot, intent: Intent, prepared: Prepared, signer: Address
) -> Outcome | asyncio.Task[Outcome]:
    """Write down a plan, then send it in a task of its own; in dry run the rehearsal was all."""
    plan = prepared.plan
    house.observer.planned(intent.position, intent.rule.name, plan.label, plan.cost.total, is_partial=plan.is_partial)
    alternatives = [report.rejected(r) for r in plan.rejected]
    alternatives += [{"label": p.label, "reason": why.reason.code, "detail": why.detail} for p, why in prepared.refused]
    decision_id = await house.journal.decisions.record(
        NewDecision(
            **_where(snapshot),
            position=intent.position,
            rule=intent.rule.name,
            mode=house.mode,
            kind="act",
            reason=Reason.RULE_FIRED.code,
            summary=f"{plan.label}{' (partial)' if plan.is_partial else ''}",
            inputs=report.inputs(snapshot, intent.assessment),
            alternatives=alternatives,
            plan=report.plan(plan, prepared.calls),
            rehearsal=report.rehearsal(prepared.rehearsed),
        )
    )
    house.said[intent.position] = f"act:{decision_id}"
    if house.mode == "dry_run":
        outcome = Outcome("rehearsed", Reason.REHEARSED, prepared.rehearsed.where, prepared.rehearsed.after)
        await _finish(house, intent, plan.label, decision_id, outcome)
        return outcome
    task = asyncio.create_task(_send(house, snapshot, intent, prepared, decision_id))
    house.in_flight[signer] = task
    task.add_done_callback(lambda _: house.in_flight.pop(signer, None))
    return task


async def _send(house: House, snapshot: Snapshot, intent: Intent, prepared: Prepared, decision_id: int) -> Outcome:
    plan, block, signer = prepared.plan, snapshot.block, house.watch.positions[intent.position].spender
    executor = house.executors.get(signer)
    if executor is None:
        outcome = Outcome("failed", Reason.NO_SIGNER, intent.position, None)
    else:
        grant = Grant(
            chain_id=house.watch.network.chain_id,
            owner=intent.assessment.position.owner,
            signer=signer,
            limits=intent.rule.limits,
            spent_today=await house.spent_today(intent.rule, block),
            deadline=block.timestamp + house.swap_deadline_s,
        )
        outcome = await executor.execute(
            plan, prepared.calls, prepared.rehearsed, decision_id, grant, snapshot.wallets[signer]
        )
    await _finish(house, intent, plan.label, decision_id, outcome)
    return outcome


async def _finish(house: House, intent: Intent, label: str, decision_id: int, outcome: Outcome) -> None:
    health = outcome.after.health_factor if outcome.after else None
    house.observer.concluded(intent.position, label, outcome.kind, outcome.reason, outcome.detail, health)
    try:
        await house.journal.decisions.record_outcome(decision_id, outcome.kind, report.outcome(outcome))
    except JournalError as error:
        house.observer.held(intent.position, intent.rule.name, Reason.JOURNAL_AWAY, str(error), is_quiet=False)


class _Where(TypedDict):
    chain_id: int
    block_number: int
    block_hash: str
    block_timestamp: int


def _where(snapshot: Snapshot) -> _Where:
    block = snapshot.block
    return {
        "chain_id": block.chain_id,
        "block_number": block.number,
        "block_hash": block.hash,
        "block_timestamp": block.timestamp,
    }
