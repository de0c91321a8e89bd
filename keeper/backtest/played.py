"""What is played once for all ways, and what came of one: the same for every kind of account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keeper.backtest.calm import Extremes
from keeper.backtest.course import Inside, PriceCourse, course
from keeper.backtest.document import BadBacktestError, Data, Understood, digest
from keeper.backtest.figures import NO_DEBT, Outturn, Track
from keeper.backtest.life import Life
from keeper.backtest.movements import CourseMovements
from keeper.core.risk.series import BadHistoryError
from keeper.core.units import Address

S = TypeVar("S")
SHOWN = 240
"""Points of a chart."""


@dataclass(slots=True)
class Ground(Generic[S]):
    """One order of the extremes inside bars: its course, and what is worked out of it once for all ways."""

    inside: Inside
    course: PriceCourse
    extremes: Extremes
    begins: int
    standing: S
    movements: CourseMovements

    @property
    def measures(self) -> CourseMovements:
        """Return measures for one account; what was measured is shared."""
        of = self.movements
        return CourseMovements(
            of.course, of.drivers, of.heartbeat_s, of.every_s, of.still, measured=of.measured, ticks=of.ticks
        )


@dataclass(frozen=True, slots=True)
class Played:
    """One way on one order of the extremes."""

    inside: Inside
    life: Life[Any]
    came_to: Outturn
    stood: Track

    @property
    def badness(self) -> tuple[bool, int]:
        """What is worse: liquidated, then poorer at the end."""
        return not self.came_to.survived, -self.came_to.ended_usd


def reported(
    read: Understood,
    grounds: Sequence[Ground[S]],
    begun: Data,
    play: Callable[[Ground[S], int], Played],
    told: Callable[[list[Played]], Data],
) -> Data:
    """Return the report of every way, each played on both orders; ``begun``: how the account began."""
    of = grounds[0].course
    ways = [told([play(ground, i) for ground in grounds]) for i in range(len(read.ways))]
    return {
        "digest": digest(read.of),
        "begins": grounds[0].begins,
        "ends": of.ends,
        "answers": len(of.at),
        "gaps": of.gaps,
        **begun,
        "ways": [{"name": way.name, **told} for way, told in zip(read.ways, ways, strict=True)],
    }


def movements_of(read: Understood, made: PriceCourse, still: Mapping[Address, int]) -> CourseMovements:
    """Return what is measured of a course."""
    drivers, every = dict(zip(read.assets, made.symbols, strict=True)), int(read.of["terms"]["measure_s"])
    return CourseMovements(made, drivers, read.oracle.heartbeat_s, every, still, measured={})


def course_of(read: Understood, inside: Inside) -> tuple[PriceCourse, int]:
    """Return the course of one order, and when the account begins on it. Raises BadBacktestError."""
    try:
        made = course(read.files, inside, read.oracle, read.block_s, is_whole=read.is_whole)
    except BadHistoryError as error:
        raise BadBacktestError(f"prices: {error}") from None
    at = made.begins + read.warm_up_s
    if at >= made.ends:
        days = (made.ends - made.begins) // 86_400
        raise BadBacktestError(f"the prices last {days} days, and the warm-up is longer; make --warm-up shorter")
    return made, int(made.at[made.index(at)])


def points_of(of: Track) -> Iterator[list[Any]]:
    """Yield time, health and equity, of each stretch where health is lowest."""
    step = max(1, len(of.at) // SHOWN)
    for begin in range(0, len(of.at), step):
        place = begin + int(of.health[begin : begin + step].argmin())
        yield [int(of.at[place]), shown_figure(float(of.health[place])), f"{of.equity[place]:.2f}"]


def shown_figure(of: float) -> str | None:
    """Return a health factor or a margin ratio; None where nothing is owed or held."""
    return None if of >= NO_DEBT else f"{of:.6f}"
