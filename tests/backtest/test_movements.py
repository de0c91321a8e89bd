"""Price movements on paper: what accounts share of them, and what it takes to keep."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

from plays import document, walk

from keeper.backtest.course import Inside
from keeper.backtest.document import understood
from keeper.backtest.played import Ground
from keeper.backtest.report import ground_of
from keeper.backtest.standing import PaperStanding
from keeper.core.block import BlockRef
from keeper.core.risk.market import MOST_S
from keeper.core.risk.series import Tick
from keeper.core.units import Wei

HOUR = 3600
MOST_BYTES = 6_000
"""Of one measure: what was found, and not the month of prices that it was found in."""


def made() -> Ground[PaperStanding]:
    return ground_of(understood(document(walk(30, volatility=0.5), [])), Inside.LOW_FIRST)


def hours(ground: Ground) -> range:
    begin = ground.begins - ground.begins % HOUR
    return range(begin + 9 * HOUR, ground.course.ends, HOUR)


def block(at: int) -> BlockRef:
    return BlockRef(1, 1, "0x1", "0x0", at, Wei(1))


def test_a_shared_measure_is_the_one_that_was_made() -> None:
    """Its histories too, which are not kept with it."""
    ground = made()
    for at in list(hours(ground))[::97]:
        one, other = ground.measures, ground.measures
        first, second = (asyncio.run(m.now(block(at), {})) for m in (one, other))
        fresh = ground.movements.measure(at)
        assert first == second == fresh
        assert second is not None
        for name, movement in fresh.movements.items():
            assert second.movements[name].history == movement.history


def test_a_measure_that_is_kept_takes_little() -> None:
    """A year has 8,760 of them, in each order of the extremes."""
    ground = made()
    measures = ground.measures
    asyncio.run(measures.now(block(hours(ground)[0]), {}))
    times = hours(ground)[1:201]
    gc.collect()
    tracemalloc.start()
    for at in times:
        asyncio.run(measures.now(block(at), {}))
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < MOST_BYTES * len(times)


def test_what_stands_still_is_said_at_each_heartbeat_of_its_month() -> None:
    """As a loop over the month has it, whatever the heartbeat is: it is made once, and not for each measure."""
    for heartbeat in (3600, 3500, 86_400, 7001):
        measures = ground_of(understood(document(walk(12), [], heartbeat_s=heartbeat)), Inside.LOW_FIRST).measures
        ((asset, price),) = measures.still.items()
        for at in (measures.course.begins + 9 * 24 * HOUR, measures.course.begins + 9 * 24 * HOUR + HOUR):
            beats = tuple(Tick(b, price) for b in range(at - MOST_S, at + 1, heartbeat))
            assert measures._beats(asset, price, at).ticks == beats
