"""A figure over time as lines for an SVG: what it was, where rules act, where they want to get to, what was done.

Drawn here and not in the browser: it is there without a script, on any phone, and nothing is fetched for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from keeper.core.units import WAD
from keeper.journal.views import Glimpse

COLUMNS = 240
"""Stretches of time that are drawn: of each the lowest and the highest."""
GAP_S = 1_300
"""Without a sample for so long the line is broken: what was not seen is no line. Thinned ones are 600 s apart."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound or a target of a rule."""

    kind: str
    """``trigger``, ``target`` or ``edge``: where liquidation begins."""
    label: str
    value: float


@dataclass(frozen=True, slots=True)
class DeedMark:
    """Something that was done, or was tried."""

    at: int
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Size:
    """How large it is drawn, in the units of the SVG, and what is left free at its sides."""

    width: int
    height: int
    left: int = 44
    right: int = 10
    top: int = 14
    bottom: int = 22


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn, in the SVG's own units."""

    size: Size
    lines: tuple[str, ...]
    areas: tuple[str, ...]
    levels: tuple[tuple[Bound, float], ...]
    deeds: tuple[tuple[DeedMark, float, float], ...]
    ticks_x: tuple[tuple[float, str], ...]
    ticks_y: tuple[tuple[float, str], ...]
    last: tuple[float, float] | None
    is_empty: bool
    scale: tuple[float, float, int, int]
    """Lowest and highest value, first second and how many: for a script that reads a point back."""
    unit: str = ""
    """``%`` for a figure that is shown in percent."""


def chart(
    samples: Sequence[Glimpse],
    levels: Sequence[Bound],
    deeds: Sequence[DeedMark],
    now: int,
    span_s: int,
    size: Size,
    unit: str = "",
) -> Chart:
    """Return a chart of the last ``span_s`` seconds."""
    begin = now - span_s
    points = [(s.at, s.value / WAD) for s in samples if begin <= s.at <= now]
    low, high = _range([v for _, v in points], levels)

    def x(at: float) -> float:
        return round(size.left + (at - begin) / span_s * (size.width - size.left - size.right), 1)

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(size.height - size.bottom - share * (size.height - size.top - size.bottom), 1)

    runs = [_thinned(run) for run in _runs(points)]
    lines = tuple(" ".join(f"{x(at)},{y(v)}" for at, v in run) for run in runs)
    floor = size.height - size.bottom
    areas = tuple(
        f"{x(run[0][0])},{floor} {line} {x(run[-1][0])},{floor}" for run, line in zip(runs, lines, strict=True)
    )
    done = tuple((d, x(d.at), y(_at(points, d.at, high))) for d in deeds if begin <= d.at <= now)
    return Chart(
        size=size,
        lines=lines,
        areas=areas,
        levels=tuple((one, y(one.value)) for one in levels if low <= one.value <= high),
        deeds=done,
        ticks_x=tuple((x(begin + span_s * i / 4), _ago(span_s - span_s * i // 4)) for i in range(5)),
        ticks_y=tuple((y(v), _text(v, unit)) for v in _round_values(low, high)),
        last=(x(points[-1][0]), y(points[-1][1])) if points else None,
        is_empty=not points,
        scale=(low, high, begin, span_s),
        unit=unit,
    )


def _range(values: Sequence[float], levels: Sequence[Bound]) -> tuple[float, float]:
    """Return what is shown: all that was, with the bounds in sight unless they are far off."""
    known = list(values) or [one.value for one in levels]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    reach = max(high - low, 0.25 * max(abs(low), abs(high)), 0.02)
    near = [one.value for one in levels if low - 3 * reach <= one.value <= high + 3 * reach]
    low, high = min(low, *near) if near else low, max(high, *near) if near else high
    room = max(high - low, 0.02) * 0.08
    return low - room, high + room


def _runs(points: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """Return the points in stretches without a gap."""
    if not points:
        return []
    runs = [[points[0]]]
    for before, point in pairwise(points):
        if point[0] - before[0] > GAP_S:
            runs.append([])
        runs[-1].append(point)
    return runs


def _thinned(run: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return no more points than can be seen: of each column the first, the lowest, the highest and the last."""
    if len(run) <= 2 * COLUMNS:
        return run
    kept = list[tuple[int, float]]()
    for i in range(COLUMNS):
        part = run[i * len(run) // COLUMNS : (i + 1) * len(run) // COLUMNS]
        ends = {part[0], part[-1], min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


def _at(points: Sequence[tuple[int, float]], at: int, otherwise: float) -> float:
    """Return the figure at a time: the last that was known before, else the first."""
    before = [v for t, v in points if t <= at]
    return before[-1] if before else points[0][1] if points else otherwise


def _round_values(low: float, high: float) -> list[float]:
    """Return three to five round values within."""
    raw = (high - low) / 3
    scale = 10.0 ** len(str(int(raw))) / 10 if raw >= 1 else 1.0
    while scale > raw:
        scale /= 10
    step = next(scale * m for m in (5, 2.5, 2, 1) if scale * m <= raw)
    first = int(low / step) - 1
    return [round(v, 10) for v in (step * (first + i) for i in range(9)) if low <= v <= high][:5]


def _text(value: float, unit: str = "") -> str:
    if unit:
        return f"{value * 100:.3g}\u202f{unit}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _ago(seconds: int) -> str:
    if seconds == 0:
        return "now"
    if seconds >= 2 * 86_400:
        return f"-{seconds / 86_400:.0f} d" if seconds % 86_400 == 0 else f"-{seconds / 86_400:.1f} d"
    if seconds < 2 * 3600:
        return f"-{seconds / 60:.0f} min"
    return f"-{seconds / 3600:.0f} h" if seconds % 3600 == 0 else f"-{seconds / 3600:.1f} h"
