"""``keeper watch``: the same at a glance in a terminal, live. From the journal and the settings alone, as the page is.

Works over ssh, without colour, in a narrow window; ``--once`` prints it and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from keeper.cli.common import Exit, out
from keeper.cli.words import as_json_text, brief, money, time_text
from keeper.core.notices import printable
from keeper.core.units import WAD
from keeper.journal import JournalError
from keeper.settings import Settings
from keeper.web.cards import ALARM, CALM, UNKNOWN, WATCH, Card, age, cards_of
from keeper.web.sight import Onlooker
from keeper.web.stands import BLIND, DRY_RUN, LIVE, SILENT, UNSEEN

EVERY_S = 2.0
NARROW = 70
"""Columns below which a position takes lines of its own instead of a row."""
SPARKS, CURVE, DAY_S = "▁▂▃▄▅▆▇█", 24, 86_400
SHOWN_DECISIONS, SHOWN_TRANSACTIONS = 5, 5
MARKS = {
    LIVE: (" LIVE ", "bold white on red"),
    DRY_RUN: (" DRY RUN ", "bold black on yellow"),
    BLIND: (" BLIND ", "bold reverse"),
    SILENT: (" NOT WATCHED ", "bold reverse"),
    UNSEEN: (" NOTHING SEEN YET ", "bold reverse"),
}
TONES = {
    CALM: ("ok", "green"),
    WATCH: ("look", "yellow"),
    ALARM: ("DANGER", "bold red"),
    UNKNOWN: ("UNKNOWN", "bold magenta"),
}
"""A word beside each colour: colour alone says nothing where there is none."""


async def watch(chains: list[Settings], *, once: bool, as_json: bool) -> Exit:
    """Show every chain until Ctrl-C; or once, and end with 1 where one of them is not watched."""
    onlookers = [Onlooker(of) for of in chains]
    try:
        if as_json:
            as_json_text(out(), [await one.glance() for one in onlookers])
        elif once:
            console = out()
            console.print(await _drawn(onlookers, console))
        else:
            await _live(onlookers)
        states = {(await one.glance())["state"] for one in onlookers}
        return Exit.FINE if states <= {LIVE, DRY_RUN} else Exit.FAILED
    finally:
        for one in onlookers:
            await one.close()


async def show_stands(console: Console, of: Settings) -> None:
    """Print how the keeper of a chain stands, by its journal."""
    onlooker = Onlooker(of)
    try:
        console.print(Text("keeper:").append_text(mark(await onlooker.glance())), soft_wrap=True)
    finally:
        await onlooker.close()


async def _live(onlookers: list[Onlooker]) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    is_over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # that it is ended is as it should be
        asyncio.get_running_loop().add_signal_handler(number, is_over.set)
    with Live(console=console, screen=console.is_terminal, auto_refresh=False, vertical_overflow="crop") as live:
        while not is_over.is_set():
            live.update(await _drawn(onlookers, console), refresh=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), EVERY_S)


async def _drawn(onlookers: list[Onlooker], console: Console) -> RenderableType:
    return Group(*[await _chain(one, console.width) for one in onlookers])


async def _chain(onlooker: Onlooker, width: int) -> RenderableType:
    glance = await onlooker.glance()
    view = glance["view"]
    parts: list[RenderableType] = [mark(glance)]
    if glance["trouble"]:
        parts.append(_line(glance["trouble"], "bold red"))
    for pause in glance["paused"]:
        until = f"until {time_text(pause['until'])} UTC" if pause["until"] else "until it is resumed"
        parts.append(_line(f"paused: {pause['subject']}, {until}. Alerts go on.", "yellow"))
    cards = [one for _, one in cards_of(view)]
    curves = [await _curve(onlooker, one.name) for one in cards]
    parts.append(_narrow(cards, curves) if width < NARROW else _table(cards, curves))
    shown = {one.name for one in cards}
    unseen = [name for name in onlooker.settings.subject_names if name not in shown]
    if unseen and not (view and view["more"]):
        parts.append(_line(f"not seen yet, and so unknown: {', '.join(unseen)}", "bold magenta"))
    if view and view["more"]:
        parts.append(_line(f"and {view['more']} more, of which no rule asks anything", "dim"))
    parts += [*_sent(glance), *_decided(glance), *_rest(glance), Text()]
    return Group(*parts)


def mark(glance: dict[str, Any]) -> Text:
    """Return how a keeper stands, and what that means, in one line."""
    (word, style), says = MARKS[glance["state"]], glance["says"]
    text = Text().append(word, style=style).append(f" {glance['network']}")
    view = glance["view"]
    if view:
        text.append(f", block {view['block']['number']:,}, seen {age(glance['age_s'])} ago")
    text.append(f". {printable(says)[:1].upper()}{printable(says)[1:]}.")
    if view and not view["may_sign"]:
        text.append(" STOPPED SIGNING", style="bold red")
    return text


def _table(cards: list[Card], curves: list[str]) -> Table:
    table = Table("", "position", "figure", "a day", "liquidated when", "probability", box=None, pad_edge=False)
    for one, curve in zip(cards, curves, strict=True):
        word, style = TONES[one.tone]
        figure = Text(printable(one.figure), style=style).append(f" {one.label}", style="dim")
        name = Text(printable(one.name), style="bold")
        far = f"{'band ' if one.far == 'band' else ''}{one.distance}"
        table.add_row(Text(word, style=style), name, figure, Text(curve), Text(printable(far)), Text(one.probability))
    return _with_words(table, cards)


def _with_words(table: Table, cards: list[Card]) -> Table:
    whole = Table.grid(padding=(0, 0))
    whole.add_row(table)
    for one in cards:
        whole.add_row(_says(one))
    return whole


def _says(one: Card) -> Text:
    """Return what it does, and below it, a line each, what it waits for and why it does not."""
    text = Text(f"  {printable(one.name)}: ", style="dim").append(printable(one.now[0]), style=TONES[one.tone][1])
    for line in (*one.now[1:], *one.why, *one.doubts):
        text.append(f"\n    {printable(line)}", style="dim")
    return text


def _narrow(cards: list[Card], curves: list[str]) -> Group:
    lines: list[RenderableType] = []
    for one, curve in zip(cards, curves, strict=True):
        word, style = TONES[one.tone]
        lines.append(Text(f"{word} ", style=style).append(printable(one.name), style="bold"))
        lines.append(Text(f"  {printable(one.figure)} ", style=style).append(one.label, style="dim"))
        lines.append(_line(f"  {one.far}: {one.distance}"))
        lines.append(_line(f"  probability: {one.probability}"))
        lines += [_line(f"  {curve}")] if curve else []
        lines += [_line(f"  {line}", "dim") for line in (*one.now, *one.why, *one.doubts)]
    return Group(*lines)


def _sent(glance: dict[str, Any]) -> list[RenderableType]:
    rows = [t for t in glance["transactions"] if t["state"] not in ("confirmed", "expired", "cancelled", "replaced")]
    rows = (rows or glance["transactions"][:1])[:SHOWN_TRANSACTIONS]
    return [
        _line(f"tx {t['id']} {t['state']}: {t['position'] or '?'}: {t['purpose']}, {t['hash'] or 'no hash'}")
        for t in rows
    ]


def _decided(glance: dict[str, Any]) -> list[RenderableType]:
    rows = glance["decisions"][:SHOWN_DECISIONS]
    return [
        _line(f"{time_text(d['block_timestamp'])[5:]} {d['position']}: {d['summary']}{_came(d)}", "dim") for d in rows
    ]


def _came(decision: dict[str, Any]) -> str:
    return f" → {decision['outcome_kind'].replace('_', ' ')}" if decision["outcome_kind"] else ""


def _rest(glance: dict[str, Any]) -> list[RenderableType]:
    view, lines = glance["view"], list[RenderableType]()
    if view:
        now = view["block"]["timestamp"]
        prices = [f"{p['symbol']} {brief(p['price'])} ({_old(p, now)})" for p in view["prices"]]
        lines += [_line(f"prices: {', '.join(prices)}")] if prices else []
        nodes = [f"{n['name']} {n['state']} {n['latency_ms']} ms" for n in view["nodes"]]
        lines += [_line(f"nodes: {', '.join(nodes)}")] if nodes else []
        lines += [_line(flaw, "yellow") for flaw in view["flaws"]]
    spent = [f"{x['rule']} {money(x['spent_usd'])} of {money(x['per_day_usd'])}" for x in glance["limits"]]
    lines += [_line(f"spent in a day: {', '.join(spent)}")] if spent else []
    drill = glance["drill"]
    lines += [_line(f"fire drill: {drill['text']}", "" if drill["fine"] else "bold red")] if drill else []
    return lines


def _old(price: dict[str, Any], now: int) -> str:
    return age(now - price["updated_at"]) if price["updated_at"] is not None else "age not said"


async def _curve(onlooker: Onlooker, name: str) -> str:
    """Return how a figure went in a day: a cell is the lowest of its share, so that a dip is not lost."""
    try:
        values = [one.value / WAD for one in await onlooker.history(name, DAY_S)]
    except JournalError:
        return ""
    width = min(CURVE, len(values))
    cells = [min(values[i * len(values) // width : (i + 1) * len(values) // width]) for i in range(width)]
    low, high = min(cells, default=0), max(cells, default=1)
    return "".join(SPARKS[round((v - low) / ((high - low) or 1) * (len(SPARKS) - 1))] for v in cells)


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)
