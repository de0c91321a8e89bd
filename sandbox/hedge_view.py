"""The view of the hedge demo: price, delta in its band, both legs, and what each of the three is worth."""

from collections.abc import Mapping, Sequence
from typing import cast

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sandbox.demo_view import Scenes, View, clock, curve, deeds, fate, head, health_text
from sandbox.hedge_scene import ALONE, HEDGED, UNHEDGED, HedgeFrame
from sandbox.hedge_settings import BAND

WIDTH = 36
BAND_ETH = float(BAND)
HEALTH_FROM, HEALTH_TO = 1.0, 2.4
MARGIN_FROM, MARGIN_TO = 0.0625, 0.40
NAMES = {HEDGED: "hedged", UNHEDGED: "not hedged", ALONE: "left alone"}
LEGEND = "delta: · within ±{} ETH, ▲ above, ▼ below; an empty cell: near liquidation"


def render(now: Scenes) -> RenderableType:
    """The whole view; always the same height, so nothing jumps."""
    if not now.frames:
        return Text(now.title, style="bold")
    heading = Text("what the keeper did")
    return Group(head(now), Text(), chart(frames_of(now), now.liquidations), Text(), heading, *deeds(now))


def line(now: Scenes) -> str:
    """The same in one line, for a log."""
    frame = frames_of(now)[-1]
    worth = ", ".join(f"{NAMES[name]} ${frame.equity[name]:,.0f}{fate(name, now)}" for name in NAMES)
    return (
        f"{clock(now, frame.timestamp)}  ETH {frame.price:>9,.2f}  delta {signed(frame.delta[HEDGED]):>6}  "
        f"loop {health_text(frame.health[HEDGED])}  short {frame.short:.2f} at {percent(frame.margin_ratio)}  {worth}"
    )


VIEW = View(render, line)


def chart(frames: Sequence[HedgeFrame], liquidations: Mapping[str, int]) -> RenderableType:
    """A row for each thing, from the first block to the last."""
    last, first = frames[-1], frames[0]
    rows = Table.grid(padding=(0, 2))
    prices = [float(f.price) for f in frames]
    rows.add_row(
        "ETH", f"${last.price:,.0f}", Text(_curve(prices), style="cyan"), f"{last.price / first.price - 1:+.0%}"
    )
    outside = abs(last.delta[HEDGED]) > BAND_ETH
    style = "yellow" if outside else "green"
    rows.add_row("delta", signed(last.delta[HEDGED]), Text(_band(frames), style=style), "hedged book")
    health = [f.health[HEDGED] for f in frames]
    rows.add_row("its loop", health_text(health[-1]), curve(health, HEALTH_FROM, HEALTH_TO, WIDTH), "health factor")
    ratios = [f.margin_ratio for f in frames]
    short = f"margin, {-last.short:.2f} ETH"
    rows.add_row("its short", percent(ratios[-1]), curve(ratios, MARGIN_FROM, MARGIN_TO, WIDTH), short)
    worths = {name: [float(f.equity[name]) for f in frames] for name in NAMES}
    low, high = min(map(min, worths.values())), max(map(max, worths.values()))
    for name, values in worths.items():
        fate = Text(f"liquidated {times}×", style="bold red") if (times := liquidations.get(name)) else Text("equity")
        rows.add_row(NAMES[name], f"${values[-1]:,.0f}", Text(curve(values, low, high, WIDTH), style="cyan"), fate)
    return Group(rows, Text(LEGEND.format(BAND), style="dim"))


def signed(delta: float) -> str:
    """Ether with two places; nothing is +0.00."""
    return f"{round(delta, 2) + 0.0:+.2f}"


def percent(ratio: float) -> str:
    """A margin ratio; next to nothing open has none."""
    return f"{ratio:.0%}" if ratio < 10 else "–"


def frames_of(now: Scenes) -> Sequence[HedgeFrame]:
    return cast("Sequence[HedgeFrame]", now.frames)


def _curve(values: Sequence[float]) -> str:
    return curve(values, min(values), max(values), WIDTH)


def _band(frames: Sequence[HedgeFrame]) -> str:
    """One mark for each share of the blocks: what stood outside is never lost."""
    width = min(WIDTH, len(frames))
    deltas = [f.delta[HEDGED] for f in frames]
    cells = [deltas[i * len(deltas) // width : (i + 1) * len(deltas) // width] for i in range(width)]
    return "".join(_mark(max(cell, key=abs)) for cell in cells)


def _mark(delta: float) -> str:
    if abs(delta) <= BAND_ETH:
        return "·"
    return "▲" if delta > 0 else "▼"
