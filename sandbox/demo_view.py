"""The live view of the demo: price, both health factors, what the keeper did last."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sandbox.demo_diary import Entry
from sandbox.demo_scene import KEPT, UNKEPT, Frame

SHOWN_ENTRIES = 5
SPARKS, CURVE = "▁▂▃▄▅▆▇█", 36
BAR, BAR_FROM, BAR_TO = 20, 1.0, 1.8
NO_DEBT = 99.0
LEAST_SCALE = 0.6  # the curve of the price spans at least this much of a fall
LEGEND = "an empty bar is a health factor of 1: there anybody may liquidate"
NAMES = {KEPT: "kept", UNKEPT: "not kept"}


@dataclass
class Scenes:
    """What is shown now; the main thread fills it in, `render` draws it."""

    title: str
    began: int
    frames: Sequence[Frame] = ()
    entries: Sequence[Entry] = ()
    liquidations: Mapping[str, int] = field(default_factory=dict)
    share: float = 0.0


class View(NamedTuple):
    """How a scene is drawn: as a whole, always of the same height, and in one line for a log."""

    render: Callable[[Scenes], RenderableType]
    line: Callable[[Scenes], str]


def render(now: Scenes) -> RenderableType:
    """The whole view; always the same height, so nothing jumps."""
    if not now.frames:
        return Text(now.title, style="bold")
    rows = Table.grid(padding=(0, 2))
    rows.add_row(*price_row(now.frames))
    for name in NAMES:
        rows.add_row(*_health_row(name, now))
    legend, heading = Text(LEGEND, style="dim"), Text("what the keeper did")
    return Group(head(now), Text(), rows, legend, Text(), heading, *deeds(now))


def line(now: Scenes) -> str:
    """The same in one line, for a log."""
    frame = now.frames[-1]
    health = ", ".join(f"{NAMES[name]} {health_text(frame.health[name])}{fate(name, now)}" for name in NAMES)
    return f"{clock(now, frame.timestamp)}  ETH {frame.price:>9,.2f}  health factor {health}"


def entry_line(now: Scenes, entry: Entry) -> str:
    return f"{clock(now, entry.timestamp)}  keeper: {entry.text}"


VIEW = View(render, line)


def head(now: Scenes) -> Text:
    done = round(now.share * 10)
    text = Text(f"{now.title}  ", style="bold").append("━" * done, style="cyan").append("━" * (10 - done), style="dim")
    return text.append(f"  {clock(now, now.frames[-1].timestamp)}", style="dim")


def price_row(frames: Sequence[Frame]) -> tuple[Text, Text, Text, Text, Text]:
    price, first = frames[-1].price, frames[0].price
    prices = [float(frame.price) for frame in frames]
    return (
        Text("ETH"),
        Text(f"${price:,.0f}", style="bold"),
        Text(curve(prices, min(*prices, LEAST_SCALE * prices[0]), max(prices)), style="cyan"),
        Text(f"{price / first - 1:+.0%}"),
        Text(),
    )


def _health_row(name: str, now: Scenes) -> tuple[Text, Text, Text, Text, Text]:
    frame = now.frames[-1]
    health, times = frame.health[name], now.liquidations.get(name, 0)
    style = "green" if health >= 1.25 else "yellow" if health >= 1.1 else "red"
    filled = round(BAR * min(1.0, max(0.0, (health - BAR_FROM) / (BAR_TO - BAR_FROM))))
    bar = Text("█" * filled, style=style).append("░" * (BAR - filled), style="dim")
    line_ = curve([f.health[name] for f in now.frames], BAR_FROM, BAR_TO, CURVE - BAR - 1)
    fate_ = f"liquidated {times}×" if times else f"debt {frame.debt_usd[name]:,.0f}"
    return (
        Text(NAMES[name]),
        Text(health_text(health), style=f"bold {style}"),
        bar.append(" ").append(line_, style=style),
        Text("health"),
        Text(fate_, style="bold red" if times else "dim"),
    )


def fate(name: str, now: Scenes) -> str:
    times = now.liquidations.get(name)
    return f" (liquidated {times}x)" if times else ""


def deeds(now: Scenes) -> list[Text]:
    marks = {True: ("✓", "green"), False: ("✗", "red"), None: ("…", "yellow")}
    lines = []
    for entry in now.entries[-SHOWN_ENTRIES:]:
        mark, style = marks[entry.went_well]
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"  {mark} ", style=style).append(f"{clock(now, entry.timestamp)}  ", style="dim")
        lines.append(text.append(entry.text))
    lines = lines or [Text("  watches; no rule asks for anything", style="dim")]
    return lines + [Text()] * (SHOWN_ENTRIES - len(lines))


def clock(now: Scenes, timestamp: int) -> str:
    """Chain time since the beginning."""
    passed = max(0, timestamp - now.began)
    return f"{passed // 3600}:{passed % 3600 // 60:02d}:{passed % 60:02d}"


def health_text(value: float) -> str:
    return f"{value:.2f}" if value < NO_DEBT else "no debt"


def curve(values: Sequence[float], low: float, high: float, width: int = CURVE) -> str:
    """A sparkline of `width` cells, each the lowest value of its share: a dip is never lost."""
    width = min(width, len(values))
    cells = [min(values[i * len(values) // width : (i + 1) * len(values) // width]) for i in range(width)]
    top = len(SPARKS) - 1
    return "".join(SPARKS[round(top * min(1.0, max(0.0, (v - low) / ((high - low) or 1))))] for v in cells)
