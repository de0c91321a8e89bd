"""A back-test: one document in, what came of every way out. The same document always gives the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from keeper.backtest.calm import Extremes
from keeper.backtest.course import Inside, PriceCourse, course
from keeper.backtest.document import BadBacktestError, Data, Understood, digest, plot_of, standing_of, understood
from keeper.backtest.figures import NO_DEBT, Outturn, Track, outturn, track
from keeper.backtest.life import Life, Plot
from keeper.backtest.movements import CourseMovements
from keeper.backtest.play import play
from keeper.backtest.standing import PaperStanding
from keeper.core.risk.series import BadHistoryError
from keeper.core.units import WAD, decimal_of

SHOWN = 240
"""Points of a chart."""


@dataclass(slots=True)
class Ground:
    """One order of the extremes inside bars: its course, and what is worked out of it once for all ways."""

    inside: Inside
    course: PriceCourse
    extremes: Extremes
    begins: int
    standing: PaperStanding
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
    plot: Plot
    life: Life
    came_to: Outturn
    stood: Track

    @property
    def badness(self) -> tuple[bool, int]:
        """What is worse: liquidated, then poorer at the end."""
        return not self.came_to.survived, -self.came_to.ended_usd


def ground_of(read: Understood, inside: Inside) -> Ground:
    """Return the course of one order. Raises BadBacktestError."""
    try:
        made = course(read.files, inside, read.oracle, read.block_s, is_whole=read.is_whole)
    except BadHistoryError as error:
        raise BadBacktestError(f"prices: {error}") from None
    at = made.begins + read.warm_up_s
    if at >= made.ends:
        days = (made.ends - made.begins) // 86_400
        raise BadBacktestError(f"the prices last {days} days, and the warm-up is longer; make --warm-up shorter")
    begins = int(made.at[made.index(at)])
    row = made.answers[made.index(begins)]
    standing = standing_of(read, {s: int(row[i]) for i, s in enumerate(made.symbols)}, begins)
    drivers = dict(zip(read.assets, made.symbols, strict=True))
    still = {h.asset: h.price.answer for h in standing.holdings if h.asset not in drivers}
    every = int(read.of["terms"]["measure_s"])
    moves = CourseMovements(made, drivers, read.oracle.heartbeat_s, every, still, measured={})
    return Ground(inside, made, Extremes(made), begins, standing, moves)


def report(document: Data, *, all_blocks: bool = False) -> Data:
    """Return what came of every way. Raises BadBacktestError."""
    read = understood(document)
    grounds = [ground_of(read, inside) for inside in Inside]
    ways = [_told(_played(read, grounds, i, all_blocks=all_blocks)) for i in range(len(read.ways))]
    of = grounds[0].course
    return {
        "digest": digest(document),
        "begins": grounds[0].begins,
        "ends": of.ends,
        "answers": len(of.at),
        "gaps": of.gaps,
        "health": decimal_of(grounds[0].standing.health, 18, 6),
        "ways": [{"name": way.name, **told} for way, told in zip(read.ways, ways, strict=True)],
    }


def _played(read: Understood, grounds: list[Ground], way: int, *, all_blocks: bool) -> list[Played]:
    return [play_on(read, ground, way, all_blocks=all_blocks) for ground in grounds]


def play_on(read: Understood, ground: Ground, way: int, *, all_blocks: bool = False) -> Played:
    """Return what came of one way on one order of the extremes."""
    plot = plot_of(read, read.ways[way], ground.standing)
    extremes = None if all_blocks else ground.extremes
    life = asyncio.run(play(plot, ground.course, ground.begins, extremes, ground.measures))
    stood = track(plot, ground.course, life)
    return Played(ground.inside, plot, life, outturn(plot, ground.course, life, stood), stood)


def _told(both: list[Played]) -> Data:
    """Return the worse of both orders, and what the other came to."""
    worse = max(both, key=lambda one: one.badness)
    other = next(one for one in both if one is not worse)
    return {
        "inside": worse.inside.value,
        **figures_said(worse.came_to),
        "other_order": {"inside": other.inside.value, **figures_said(other.came_to)},
        "deeds": [
            {
                "at": deed.at, "what": deed.what, "how": deed.how, "health": _health(deed.health / WAD),
                "health_after": _health(deed.health_after / WAD), "lost_usd": decimal_of(deed.loss_usd, 8, 2),
            }
            for deed in worse.life.deeds
        ],
        "track": list(_points(worse.stood)),
    }  # fmt: skip


def figures_said(of: Outturn) -> Data:
    """Return what came of a life as plain data."""
    return {
        "survived": of.survived,
        "liquidations": of.liquidations,
        "liquidated_usd": decimal_of(of.liquidated_usd, 8, 2),
        "kept_usd": decimal_of(of.kept_usd, 8, 2),
        "gas_usd": decimal_of(of.gas_usd, 8, 2),
        "lost_usd": decimal_of(of.lost_usd, 8, 2),
        "actions": of.actions,
        "failed": of.failed,
        "began_usd": decimal_of(of.began_usd, 8, 2),
        "ended_usd": decimal_of(of.ended_usd, 8, 2),
        "least_health": _health(of.least_health),
        "danger_s": of.danger_s,
        "unmeasured_s": of.unmeasured_s,
        "drawdown": f"{of.drawdown:.6f}",
        "sharpe": _ratio(of.sharpe),
        "sortino": _ratio(of.sortino),
        "per_borrowed": _ratio(of.per_borrowed),
    }


def _ratio(of: float | None) -> str | None:
    return None if of is None else f"{of:.4f}"


def _health(of: float) -> str | None:
    return None if of >= NO_DEBT else f"{of:.6f}"


def _points(of: Track) -> Iterator[list[Any]]:
    """Yield time, health and equity, of each stretch where health is lowest."""
    step = max(1, len(of.at) // SHOWN)
    for begin in range(0, len(of.at), step):
        place = begin + int(of.health[begin : begin + step].argmin())
        yield [int(of.at[place]), _health(float(of.health[place])), f"{of.equity[place]:.2f}"]
