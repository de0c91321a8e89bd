"""From an intent about a perpetual position or a book to a rehearsed plan, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.book.rules import BookIntent
from keeper.core.decide import Hold
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpIntent
from keeper.core.snapshot import Snapshot
from keeper.engine.agreement import Judged
from keeper.engine.engine import Engine
from keeper.engine.perp.plan import find_hedge_plans, find_perp_plans
from keeper.engine.perp.preflight import PerpPrepared, try_plan
from keeper.engine.trials import first_that_works
from keeper.execution.rehearsal import Refused

TRIALS = 3
"""Plans that are tried, best first, before a position is given up for this block."""


async def prepare_perp(engine: Engine, snapshot: Snapshot, intent: PerpIntent) -> PerpPrepared | Hold:
    """Return the best plan that works now. Raises NodeError."""
    ways = await find_perp_plans(engine, snapshot, intent)
    return ways if isinstance(ways, Hold) else await first_perp_plan(engine, snapshot, ways)


async def prepare_hedge(
    engine: Engine, snapshot: Snapshot, intent: BookIntent, hedges: Sequence[PerpPosition]
) -> PerpPrepared | Hold:
    """Return the cheapest trade that works now, over some hedges of a book. Raises NodeError."""
    ways = await find_hedge_plans(engine, snapshot, intent, hedges)
    return ways if isinstance(ways, Hold) else await first_perp_plan(engine, snapshot, ways)


async def first_perp_plan(engine: Engine, snapshot: Snapshot, ways: Sequence[PerpPlan]) -> PerpPrepared | Hold:
    """Return the first plan that passes its trial; else why none does. Raises NodesDisagreeError, NodeError."""

    async def trial(plan: PerpPlan) -> PerpPrepared | Refused:
        return await try_plan(engine, snapshot, plan)

    return await first_that_works(engine, snapshot.block, ways[:TRIALS], _made_from(snapshot, ways[0]), trial)


def _made_from(snapshot: Snapshot, plan: PerpPlan) -> list[Judged]:
    """Return all whose figures decide: what is traded, and of a book every member: its delta is theirs."""
    before, intent = plan.before, plan.intent
    members = set(intent.assessment.position.members) if isinstance(intent, BookIntent) else set()
    return [before, *(p for p in snapshot.positions if p.name in members - {before.name})]
