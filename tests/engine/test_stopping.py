"""A keeper that is asked to leave waits for its plans, and not for ever."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from core_builders import OWNER
from paper import Paper, engine_on, holding_dollars

from keeper.engine.submit import landed
from keeper.service.opened import RealClock


def engine() -> Any:
    """An engine on paper whose clock is the real one."""
    found = engine_on(Paper({}, holding_dollars()))
    found.clock = RealClock()
    return found


def under_way(of: Any, name: str, seconds: float) -> asyncio.Task[None]:
    """A plan that takes its time."""
    task = asyncio.create_task(asyncio.sleep(seconds))
    of.state.in_flight.begin(OWNER, name, task)
    task.add_done_callback(lambda done: landed(of, done))
    return task


async def test_a_plan_that_does_not_end_does_not_keep_the_keeper() -> None:
    """Whoever supervises it would kill it, and nobody would hear of it; its bytes are in the journal."""
    of = engine()
    quick, slow = under_way(of, "quick", 0.01), under_way(of, "slow", 1000)
    begun = time.monotonic()
    assert await of.settle(within_s=0.2) == {"slow"}
    assert time.monotonic() - begun < 5
    assert slow.cancelled()
    assert not quick.cancelled()
    assert not of.state.in_flight
    assert of.state.may_sign  # it is no defect of ours


@pytest.mark.parametrize("within_s", [None, 5.0])
async def test_a_plan_that_ends_in_time_is_waited_for(within_s: float | None) -> None:
    """What is in flight is finished first."""
    of = engine()
    task = under_way(of, "p", 0.05)
    assert await of.settle(within_s) == frozenset()
    assert task.done()
    assert not task.cancelled()
