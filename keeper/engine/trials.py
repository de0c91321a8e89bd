"""A rule's ways, tried best first until one works. What differs by kind is the trial of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from keeper.core.decide import Hold
from keeper.core.lending.plan import Plan
from keeper.core.perp.plan import PerpPlan
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.engine.agreement import Judged, ask_others
from keeper.engine.engine import Engine
from keeper.engine.lending.preflight import Prepared
from keeper.engine.perp.preflight import PerpPrepared
from keeper.execution.rehearsal import Refused

W = TypeVar("W", Plan, PerpPlan)
R = TypeVar("R", Prepared, PerpPrepared)
I = TypeVar("I")  # noqa: E741 - an intent
Tried = Sequence[tuple[W, Refused]]


async def first_that_works(
    engine: Engine,
    block: BlockRef,
    ways: Sequence[W],
    made_from: Sequence[Judged],
    trial: Callable[[W], Awaitable[R | Refused]],
    is_needless: Callable[[W, Tried[W]], bool] = lambda _, __: False,
) -> R | Hold:
    """Return the first plan that passes its trial; a Hold with the first one's reason if none does.

    Of one that only needed a permit the reason says nothing: the same plan without it was tried after it.

    Where there are several nodes they must have the same block, and figures of all that the plans are ``made_from``.
    Raises NodesDisagreeError, NodeError.

    ``is_needless``: whether a plan need not be tried, for what was refused before it.
    """
    await ask_others(engine, block, ways[0].intent.assessment.doubts, made_from)
    refused = list[tuple[Any, Refused]]()  # its own kind, which the type of what is returned does not say
    for plan in ways:
        if is_needless(plan, refused):
            continue
        result = await trial(plan)
        if not isinstance(result, Refused):
            where, figure, called = result.came_to
            engine.observer.rehearsed(plan.intent.position, plan.label, where, figure, figure=called)
            return replace(result, refused=tuple(refused))
        engine.observer.refused(plan.intent.position, plan.label, result.reason, result.detail)
        refused.append((plan, result))
    said = [why for _, why in refused if why.reason is not Reason.PERMIT_UNAVAILABLE] or [why for _, why in refused]
    first = said[0] if said else Refused(Reason.NOTHING_HELPS, "")
    detail = "; ".join(f"{plan.label}: {why.detail}" for plan, why in refused)
    return ways[0].intent.hold(first.reason, detail)
