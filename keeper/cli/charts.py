"""Charts as SVG in the page itself: lines and bars, with their scales. Nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 480, 200, 56, 26, 12
"""A telephone shows it whole, and its letters are letters still; a wide screen makes it half as large again."""
COLOURS = ("#1f5fae", "#a61b1b", "#3d7a37")
MOST_POINTS = 600
Points = Sequence[tuple[float, float]]


def lines(series: Sequence[tuple[str, Points]], unit: str, caption: str, most: float | None = None) -> str:
    """Return lines over one axis; of very many points some are left out, never the lowest of a stretch."""
    shown = [(name, _thinned(points)) for name, points in series]
    xs, ys = ([p[i] for _, points in shown for p in points] for i in (0, 1))
    x0, x1, low, high = min(xs), max(xs), min(ys), max(ys)
    if most is not None:
        low, high = 0.0, min(most, high * 1.1) or most
    across, up = _scale(x0, x1, LEFT, WIDTH - 10), _scale(low, high, HEIGHT - BOTTOM, TOP)
    drawn = "".join(
        f'<polyline fill="none" stroke="{COLOURS[i % 3]}" stroke-width="1.5" points="'
        + " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        + f'"><title>{escape(name)}</title></polyline>'
        for i, (name, points) in enumerate(shown)
    )
    marks = "".join(_mark(LEFT - 6, up(y) + 4, _number(y), "end") for y in (low, (low + high) / 2, high))
    marks += "".join(_mark(across(x), HEIGHT - 8, f"{_number(x)} {unit}", "middle") for x in (x0, (x0 + x1) / 2))
    legend = ", ".join(f"{escape(name)} ({('blue', 'red', 'green')[i % 3]})" for i, (name, _) in enumerate(series))
    return _figure(drawn + marks, HEIGHT, f"{escape(caption)}: {legend}")


def bars(rows: Sequence[tuple[str, float, float, bool]], caption: str) -> str:
    """Return bars of two parts each, by name; what is liquidated has its name in red."""
    height = 40 * len(rows) + 6
    most = max((a + b for _, a, b, _ in rows), default=0) or 1.0
    wide, drawn = (WIDTH - 70) / most, ""
    for i, (name, first, second, is_bad) in enumerate(rows):
        y = 40 * i + 18
        colour = COLOURS[1] if is_bad else "#1c2430"
        drawn += f'<text x="0" y="{y - 4}" font-size="12" fill="{colour}">{escape(name)}</text>'
        drawn += f'<rect x="0" y="{y}" width="{first * wide:.1f}" height="14" fill="{COLOURS[0]}"/>'
        x, more = first * wide, second * wide
        drawn += f'<rect x="{x:.1f}" y="{y}" width="{more:.1f}" height="14" fill="{COLOURS[1]}"/>'
        drawn += _mark(6 + (first + second) * wide, y + 12, _number(first + second), "start")
    return _figure(drawn, height, escape(caption))


def scatter(points: Sequence[tuple[str, float, float, bool]], across: str, up: str, caption: str) -> str:
    """Return points by name; those that matter are red and joined."""
    xs, ys = [x for _, x, _, _ in points], [y for _, _, y, _ in points]
    to_x, to_y = _scale(min(xs), max(xs), LEFT, WIDTH - 16), _scale(min(ys), max(ys), HEIGHT - BOTTOM, TOP + 6)
    drawn = "".join(
        f'<circle cx="{to_x(x):.1f}" cy="{to_y(y):.1f}" r="{4 if best else 2.5}" fill="{COLOURS[1 if best else 0]}">'
        f"<title>{escape(name)}</title></circle>"
        for name, x, y, best in points
    )
    line = " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for _, x, y, best in sorted(points, key=lambda p: p[1]) if best)
    drawn += f'<polyline fill="none" stroke="{COLOURS[1]}" points="{line}"/>'
    drawn += "".join(_mark(LEFT - 6, to_y(y) + 4, _number(y), "end") for y in (min(ys), max(ys)))
    drawn += "".join(_mark(to_x(x), HEIGHT - 8, _number(x), "middle") for x in (min(xs), (min(xs) + max(xs)) / 2))
    return _figure(drawn, HEIGHT, f"{escape(caption)}. Across: {escape(across)}; up: {escape(up)}")


def _figure(drawn: str, height: int, caption: str) -> str:
    box = f'viewBox="0 0 {WIDTH} {height}" width="100%" style="max-width:45rem" role="img"'
    return f'<figure><svg {box} aria-label="{caption}">{drawn}</svg><figcaption>{caption}</figcaption></figure>'


def _thinned(points: Points) -> Points:
    """Return at most so many points: of each stretch its lowest."""
    step = -(-len(points) // MOST_POINTS)
    if step <= 1:
        return points
    found = [min(points[i : i + step], key=lambda p: p[1]) for i in range(0, len(points), step)]
    return [*found, points[-1]] if found[-1] != points[-1] else found


def _scale(low: float, high: float, begin: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: begin + (value - low) / span * (end - begin)


def _mark(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" fill="#5b6675">{escape(text)}</text>'


def _number(value: float) -> str:
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.2f}" if size >= 0.1 or size == 0 else f"{value:.4f}"
