"""The paths the demo plays: its own crash, its own crash and rally, and the steepest stretch of a history from a file.

Prices between two updates stand still: a jump is two points a second apart, so nobody can act inside it.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import ceil, prod
from pathlib import Path
from typing import NamedTuple

from sandbox.bars import Point, read_points
from sandbox.errors import SandboxError

START_PRICE = Decimal(2500)
UPDATE_S = 90
"""Seconds between two updates of the demo's own paths."""
MOVES = {
    "quiet": "-0.4 +0.3 -0.6",
    "first leg": "-2.1 -4.6 -1.2 -3.3 -6.8 +0.9 -2.4 -5.2 -3.1 -7.4 +1.6 -4.9 -3.8 -6.1 -2.7",
    "bounce": "+3.4 +2.2 -1.1 +2.9",
    "second leg": "-3.9 -5.6 -1.4 -4.1 -6.3 -1.2",
    "after": "+1.8 -0.7 +1.1",
}
"""Percent, update by update."""
LEAST_STAND_S = 0.7
"""Wall seconds that each price of the crash and rally stands at least: some blocks, in which everybody can act."""
SQUEEZE_MOVES = {
    "quiet": "-0.4 +0.3 -0.6",
    "fall": "-2.1 -3.6 -1.2 -3.3 -5.8 +0.9 -2.4 -4.2 -3.1 -6.4 +1.6 -3.9 -2.8",
    "bounce": "+2.4 -1.1",
    "bottom": "-3.4 -2.1 +0.6 -0.9",
    "rally": "+2.2 +3.1 +1.4 +5.2 +2.8 -1.6 +3.9 +4.4 +2.1 +6.3 -0.8 +3.2 +4.1 +2.6 +5.4 +3.3 -2.1 +4.6 +3.8 +5.1 +2.4 "
    "+4.2 +3.0 -1.2 +2.9 +1.7",
    "after": "-1.1 +0.6 -0.4",
}
"""A fall by 35 %, then a rally to 32 % above where it began: what endangers the loop, then what squeezes a short."""
ENOUGH = Decimal("0.36")
"""A stretch that falls this far is a crash worth showing: at a health factor of 1.48, 33 % liquidates."""
LEAD_S, TRAIL_S = 2 * 3600, 3600
MOST_BLOCK_S = 600
"""Chain seconds a block may stand for: a plan takes several blocks, and must not take half a day."""


class Crash(NamedTuple):
    """A path of the price, scaled to begin at START_PRICE, and how fast to play it."""

    name: str
    points: list[Point]
    speed: float


OWN_S, SQUEEZE_S, FILE_S = 28.0, 38.0, 60.0
"""How long a crash takes in wall time unless told otherwise."""


def own_crash(seconds: float | None) -> Crash:
    """An hour of falling, played in `seconds` of wall time."""
    steps = [1 + Decimal(move) / 100 for move in " ".join(MOVES.values()).split()]
    return _made("a crash of our own making", steps, seconds or OWN_S)


def own_squeeze(seconds: float | None) -> Crash:
    """A third down and twice up again, played in `seconds` of wall time; in fewer, larger steps where that is short."""
    moves = [1 + Decimal(move) / 100 for move in " ".join(SQUEEZE_MOVES.values()).split()]
    wall = seconds or SQUEEZE_S
    joined = max(1, ceil(len(moves) * LEAST_STAND_S / wall))
    steps = [prod(moves[i : i + joined], start=Decimal(1)) for i in range(0, len(moves), joined)]
    return _made("a crash and a rally of our own making", steps, wall)


def _made(name: str, steps: Sequence[Decimal], seconds: float) -> Crash:
    """A path of factors, one for each update."""
    points, price = [Point(0, START_PRICE)], START_PRICE
    for i, step in enumerate(steps, start=1):
        points.append(Point(i * UPDATE_S - 1, price))
        price *= step
        points.append(Point(i * UPDATE_S, price))
    points.append(Point(points[-1].timestamp + UPDATE_S, price))
    return Crash(name, points, points[-1].timestamp / seconds)


def crash_from(file: Path, seconds: float | None, speed: float | None, block_s: float, whole: bool) -> Crash:
    """The steepest stretch of a file (or all of it): in `seconds`, or slower where blocks would become too long."""
    everything = read_points(file)
    points = everything if whole else steepest(everything)
    span = points[-1].timestamp - points[0].timestamp
    if span <= 0:
        raise SandboxError(f"{file.name}: too short to play")
    factor = START_PRICE / points[0].price
    scaled = [Point(p.timestamp, p.price * factor) for p in points]
    return Crash(
        f"{file.name}, {span / 3600:.0f} h", scaled, speed or min(span / (seconds or FILE_S), MOST_BLOCK_S / block_s)
    )


def steepest(points: Sequence[Point]) -> list[Point]:
    """The shortest stretch that falls by ENOUGH, or the deepest fall if none does, with some time around it."""
    best: tuple[bool, float, int, int] | None = None
    for low, end in enumerate(points):
        high = _high_before(points, low)
        fall = 1 - end.price / points[high].price
        span = end.timestamp - points[high].timestamp
        rank = (fall < ENOUGH, float(span if fall >= ENOUGH else -fall), high, low)
        best = rank if best is None else min(best, rank)
    assert best is not None
    _, _, high, low = best
    begin, end_s = points[high].timestamp - LEAD_S, points[low].timestamp + TRAIL_S
    return [p for p in points if begin <= p.timestamp <= end_s]


def _high_before(points: Sequence[Point], low: int) -> int:
    """The latest point from which the price fell by ENOUGH to `low`; the highest before it if it never did."""
    enough = points[low].price / (1 - ENOUGH)
    latest = next((i for i in range(low, -1, -1) if points[i].price >= enough), None)
    return max(range(low + 1), key=lambda i: points[i].price) if latest is None else latest
