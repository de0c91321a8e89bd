"""A back-test for people: a table on the terminal, and one page with its charts and definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

from rich.console import Console
from rich.table import Table

from keeper.cli.charts import bars, lines
from keeper.cli.show_risk import STYLE
from keeper.cli.words import money, time_text
from keeper.core.units import duration

Data = dict[str, Any]
CAME_TO = ("way", "", "lost", "keeping it", "actions", "failed", "ends with")
STOOD = ("way", "least health", "in danger", "drawdown", "Sharpe", "Sortino", "per borrowed $")
PERP_STOOD = ("way", "least margin ratio", "in danger", "drawdown", "Sharpe", "Sortino", "funding paid")
DEFINITIONS = {
    "Ways": "No keeper; fixed thresholds; adaptive (acts on the probability of liquidation); a hosted service "
    "(the same fixed thresholds, and its share of each sale); your rules, where settings were given.",
    "Worse of two": "Nobody knows which extreme of a bar came first. Both orders are played; the worse is shown.",
    "Lost": "What liquidators took beyond the debts that they paid, and what keeping cost.",
    "Keeping": "Gas, and what sales brought less than the oracle's price: a pool's fee and depth, a service's share.",
    "In danger": "Time with a health factor below the owner's emergency; of a perpetual position, worth less "
    "than that many times what liquidates it.",
    "Not measured": "Time at which too little was known of prices to measure risk: such a rule holds, and says so.",
    "Drawdown": "The deepest fall of equity from its highest before, as a share of that.",
    "Sharpe, Sortino": "Mean over deviation of hourly changes of equity, for a year, at no interest; of falls alone.",
    "Per borrowed $": "What equity gained over the whole time for each dollar owed on the mean.",
}


def table(console: Console, made: Data) -> None:
    """Print what came of every way."""
    of = made["report"]
    console.print(_when(of))
    for head, row in _tables(of):
        shown = Table(*head, box=None, padding=(0, 1))
        for way in of["ways"]:
            shown.add_row(*row(way), style=None if way["survived"] else "red")
        console.print(shown)
    for line in _remarks(of):
        console.print(line, soft_wrap=True)


def _figure(of: Data) -> tuple[str, str]:
    """Return the figure that an owner goes by, in words and as the report names it."""
    return ("margin ratio", "margin_ratio") if of.get("kind") == "perp" else ("health", "health")


def _when(of: Data) -> str:
    words, key = _figure(of)
    return f"{time_text(of['begins'])} to {time_text(of['ends'])}, {words} {of[key][:6]} at the begin"


def _tables(of: Data) -> tuple[tuple[Sequence[str], Callable[[Data], tuple[str, ...]]], ...]:
    stood = (PERP_STOOD, _perp_stood) if of.get("kind") == "perp" else (STOOD, _stood)
    return (CAME_TO, _came_to), stood


def _remarks(of: Data) -> Iterator[str]:
    for way in of["ways"]:
        for deed in way["deeds"][:6]:
            lost = f", lost {money(deed['lost_usd'])}" if deed["how"] == "liquidated" else ""
            words, key = _figure(of)
            stood = f"{words} {_health(deed[key])} → {_health(deed[f'{key}_after'])}"
            yield f"  {way['name']}: {time_text(deed['at'])} {deed['what']} ({deed['how']}), {stood}{lost}"
        if len(way["deeds"]) > 6:
            yield f"  {way['name']}: and {len(way['deeds']) - 6} more; all are in --json"
    yield from _caveats(of)
    yield f"inputs {of['digest'][:16]}; with --html FILE the whole page, with --json everything"


def _caveats(of: Data) -> Iterator[str]:
    """Yield what a reader has to know before the figures mean anything."""
    for way in of["ways"]:
        if way["unmeasured_s"]:
            yield (
                f"{way['name']}: for {duration(way['unmeasured_s'])} too little was known of prices to measure risk, "
                "so its rules could not fire; a longer --warm-up, or a file that begins earlier, gives them a history"
            )
    if of["gaps"]:
        yield f"the prices have {of['gaps']} holes; over each the price stood still, and then jumped"


def _came_to(way: Data) -> tuple[str, ...]:
    ends = "survived" if way["survived"] else f"{way['liquidations']} × liquidated"
    dollars = money(way["lost_usd"]), _money(way["kept_usd"])
    return way["name"], ends, *dollars, str(way["actions"]), str(way["failed"]), _money(way["ended_usd"])


def _stood(way: Data) -> tuple[str, ...]:
    ratios = (way[key] or "unknown" for key in ("sharpe", "sortino", "per_borrowed"))
    health, fall = _health(way["least_health"]), f"{float(way['drawdown']):.1%}"
    return way["name"], health, duration(way["danger_s"]), fall, *ratios


def _perp_stood(way: Data) -> tuple[str, ...]:
    ratios = (way[key] or "unknown" for key in ("sharpe", "sortino"))
    ratio, fall = _health(way["least_margin_ratio"]), f"{float(way['drawdown']):.1%}"
    return way["name"], ratio, duration(way["danger_s"]), fall, *ratios, _money(way["funding_usd"])


def _money(text: str) -> str:
    return f"-{money(text[1:])}" if text.startswith("-") else money(text)


def _health(text: str | None) -> str:
    return "∞" if text is None else f"{float(text):.4f}"


def page(made: Data, embedded: str) -> str:
    """Return the page: one file that needs nothing else. ``embedded`` are the inputs, to recompute it from."""
    of = made["report"]
    body = [f"<h1>Back-test</h1><p class=small>{escape(_when(of))}</p>"]
    body += [_html_table(head, of["ways"], row) for head, row in _tables(of)]
    body += [f"<p class=bad>{escape(line[0].upper() + line[1:])}.</p>" for line in _caveats(of)]
    body += _charts(of)
    terms = "".join(f"<dt><b>{escape(k)}</b></dt><dd>{escape(v)}</dd>" for k, v in DEFINITIONS.items())
    body.append(f"<h2>What the figures are</h2><dl>{terms}</dl>")
    body.append(f"<p class=small>Digest of the inputs: <code>{of['digest']}</code>. ")
    body.append("<code>keeper backtest --reproduce</code> with this file computes it anew, offline.</p>")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Back-test</title><style>{STYLE}</style>"
        f"{''.join(body)}{embedded}</html>\n"
    )


def _html_table(head: Sequence[str], ways: Sequence[Data], row: Callable[[Data], tuple[str, ...]]) -> str:
    rows = [(("" if way["survived"] else " class=bad"), row(way)) for way in ways]
    cells = "".join(f"<tr{bad}>" + "".join(f"<td>{escape(c)}</td>" for c in of) + "</tr>" for bad, of in rows)
    return f"<table><tr>{''.join(f'<th>{escape(h)}</th>' for h in head)}</tr>{cells}</table>"


def _charts(of: Data) -> Iterator[str]:
    begins = of["begins"]
    for group in (of["ways"][:3], of["ways"][3:]):
        health = [
            (w["name"], [((at - begins) / 86_400, min(float(h or 3), 3.0)) for at, h, _ in w["track"]]) for w in group
        ]
        equity = [(w["name"], [((at - begins) / 86_400, float(e)) for at, _, e in w["track"]]) for w in group]
        if group:
            yield "<h2>" + escape(", ".join(w["name"] for w in group)) + "</h2>"
            yield lines(health, "days", "Margin ratio" if of.get("kind") == "perp" else "Health factor")
            yield lines(equity, "days", "Equity in dollars")
    rows = [(w["name"], float(w["kept_usd"]), float(w["liquidated_usd"]), not w["survived"]) for w in of["ways"]]
    positive = [(name, max(0.0, kept), taken, bad) for name, kept, taken, bad in rows]
    yield bars(positive, "What it cost in dollars: keeping (blue), taken by liquidators (red)")


def _line(across: Sequence[float], up: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(across, up, strict=True))
