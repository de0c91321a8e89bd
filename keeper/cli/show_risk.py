"""The risk report for people: a short table on the terminal, and one page with its charts, definitions and sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from rich.console import Console
from rich.table import Table

from keeper.cli.charts import bars, lines
from keeper.cli.words import time_text
from keeper.core.units import WAD, Wad, duration, ratio_text, usd_text

Data = dict[str, Any]
DEFINITIONS = {
    "Probability of liquidation": "That the health factor falls to 1 within the time. The larger of two: prices that "
    "move without jumps (reflection principle with drift and interest; Karatzas & Shreve; arXiv 2505.08100), and "
    "prices that jump as they did (Kou & Wang 2003). A loan of several assets counts by their shares now.",
    "At updates": "The same where health counts only when the oracle speaks, by its mean time between updates "
    "(Broadie, Glasserman & Kou 1997).",
    "Paths": "The same by simulation of every price with its correlations, bridged: a check on the others.",
    "Volatility": "How much a price moves, as a share of itself in a year: the larger of an average that halves every "
    "day (RiskMetrics 1996) and that of the week (realised variance). The probability counts with what it may become "
    "tomorrow, by how much it changed from day to day (Hull & White 1987).",
    "Value at risk, expected shortfall": "What of the owner's own is lost in the worst of a hundred cases; the mean of "
    "the worst fortieth (97.5 %, Basel 2019). What liquidation takes is not in them.",
    "Taken by liquidation": "The liquidation penalty on all that may be repaid, weighed by collateral: at the most.",
    "Put": "What an option costs that pays all that collateral falls below where liquidation begins (Black & Scholes "
    "1973, at the same volatility): a measure of what protection is worth.",
}


def table(console: Console, made: Data, left_out: Sequence[str]) -> None:
    """Print what matters of a report."""
    block = made["inputs"]["block"]
    console.print(f"block {block['number']}, {time_text(block['time'])}")
    for of in made["report"]["positions"]:
        for line in _of_position(console, of, made.get("plans", {}).get(of["name"], {})):
            console.print(line, soft_wrap=True)
    for of in made["report"]["together"]:
        console.print(
            f"within {duration(of['horizon_s'])}: any liquidated {_percent(of['any'])}, all {_percent(of['all'])}"
        )
    for name in left_out:
        console.print(f"{name}: is no loan that could be read; the report measures loans only", style="yellow")
    console.print(f"inputs {made['report']['digest'][:16]}; with --html FILE the whole page, with --json everything")


def _of_position(console: Console, of: Data, plans: Data) -> Iterator[str]:
    yield ""
    yield (
        f"{of['name']}: health {_health(of['health_factor'])}, own {usd_text(int(of['own_usd']))}, debt "
        f"{usd_text(int(of['debt_usd']))}, volatility {_percent(of['volatility'])} a year"
    )
    shown = Table("within", "liquidation", "at updates", "paths", "value at risk", "shortfall", "at stake", box=None)
    for p, lost in zip(of["probability"], of["lost"], strict=True):
        shown.add_row(
            duration(p["horizon_s"]),
            _percent(p["used"]),
            _percent(p.get("at_updates")),
            _percent((p.get("paths") or {}).get("probability")),
            _usd(lost["value_at_risk_usd"]),
            _usd(lost["expected_shortfall_usd"]),
            _usd(lost["expected_liquidation_usd"]),
        )
    console.print(shown)
    first = (
        f", the first of it {_usd(of['taken_first_usd'])} by the venue's own rule" if "taken_first_usd" in of else ""
    )
    yield f"liquidation would take {_usd(of['taken_usd'])} at the most{first}"
    if line := of.get("second_line"):
        begins, first = ratio_text(Wad(int(line["begins_at_health"]))), _usd(line["taken_usd"])
        yield f"before it, below health {begins}, {line['contract']} sells a part: at first for {first}"
    if of["put"]:
        within = duration(of["put"]["horizon_s"])
        yield f"a put that pays from there for {within} would cost {_usd(of['put']['cost_usd'])}"
    stressed = Table("if", "health", "", "lost", "taken", "the rules", box=None)
    for x in of["stress"]:
        what = "liquidated" if x["is_liquidated"] else ""
        figures = _health(x["health_factor"]), what, _usd(x["lost_usd"]), _usd(x["taken_usd"])
        stressed.add_row(x["shock"], *figures, _rescue(plans.get(x["shock"])))
    console.print(stressed)
    for why in sorted({p["used"]["unknown"] for p in of["probability"] if isinstance(p["used"], dict)}):
        yield f"unknown: {why}"


# --- the page ---------------------------------------------------------------------------------------------------------

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;margin:.6rem 0}"
    "td,th{padding:.2rem .8rem .2rem 0;text-align:right}td:first-child,th:first-child{text-align:left}"
    "th{font-weight:600;border-bottom:1px solid #c8d0da}.bad{color:#a61b1b}figure{margin:1rem 0}"
    "figcaption,.small{color:#5b6675;font-size:.85rem}code{font-size:.8rem;overflow-wrap:anywhere}"
)


def page(made: Data, embedded: str) -> str:
    """Return the page: one file that needs nothing else. ``embedded`` are the inputs, to recompute it from."""
    block, of = made["inputs"]["block"], made["report"]
    when = f"{time_text(block['time'])}, chain {block['chain_id']}"
    parts = [f"<h1>Risk at block {block['number']}</h1><p class=small>{escape(when)}</p>"]
    for position in of["positions"]:
        parts += _sections(made["inputs"], position, made.get("plans", {}).get(position["name"], {}))
    if of["together"]:
        rows = [(duration(t["horizon_s"]), _percent(t["any"]), _percent(t["all"])) for t in of["together"]]
        parts.append("<h2>Together</h2>" + _html_table(("within", "any liquidated", "all liquidated"), rows))
    terms = "".join(f"<dt><b>{escape(k)}</b></dt><dd>{escape(v)}</dd>" for k, v in DEFINITIONS.items())
    parts.append(f"<h2>What the figures are</h2><dl>{terms}</dl>")
    parts.append(f"<p class=small>Digest of the inputs: <code>{of['digest']}</code>.</p>")
    parts.append("<p class=small><code>keeper risk --reproduce</code> with this file computes it anew, offline.</p>")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Risk at block {block['number']}</title>"
        f"<style>{STYLE}</style>{''.join(parts)}{embedded}</html>\n"
    )


def _sections(inputs: Data, of: Data, plans: Data) -> Iterator[str]:
    yield f"<h2>{escape(of['name'])}</h2>"
    yield _html_table(
        ("health", "collateral", "debt", "own", "volatility", "liquidation takes"),
        [
            (
                _health(of["health_factor"]),
                _usd(of["collateral_usd"]),
                _usd(of["debt_usd"]),
                _usd(of["own_usd"]),
                _percent(of["volatility"]),
                _usd(of["taken_usd"]),
            )
        ],
    )
    rows = [
        (
            duration(p["horizon_s"]),
            _percent(p["used"]),
            _percent(p.get("at_updates")),
            _percent(p.get("jumping")),
            _percent((p.get("paths") or {}).get("probability")),
            _usd(lost["value_at_risk_usd"]),
            _usd(lost["expected_shortfall_usd"]),
            _usd(lost["expected_liquidation_usd"]),
        )
        for p, lost in zip(of["probability"], of["lost"], strict=True)
    ]
    yield _html_table(
        (
            "within",
            "liquidation",
            "at updates",
            "with jumps",
            "paths",
            "value at risk",
            "shortfall",
            "probability × taken",
        ),
        rows,
    )
    known = [(p["horizon_s"] / 86_400, p["used"]) for p in of["probability"] if isinstance(p["used"], float)]
    if len(known) > 1:
        yield lines([("probability of liquidation", [(0.0, 0.0), *known])], "days", "Probability over the horizon", 1.0)
    yield from _paths_of_prices(inputs, of)
    yield from _stress(of["stress"], plans)
    yield from _greeks(of)


def _stress(found: Sequence[Data], plans: Data) -> Iterator[str]:
    costs = [(x["shock"], int(x["lost_usd"]) / 1e8, int(x["taken_usd"]) / 1e8, x["is_liquidated"]) for x in found]
    yield bars(costs, "What a shock costs, in dollars: lost (blue), taken by liquidation (red)")
    rows = [
        (
            x["shock"],
            _health(x["health_factor"]),
            "yes" if x["is_liquidated"] else "no",
            _usd(x["lost_usd"]),
            _usd(x["taken_usd"]),
            _rescue(plans.get(x["shock"])),
        )
        for x in found
    ]
    yield _html_table(("shock", "health", "liquidated", "lost", "taken", "what the rules would do"), rows)
    yield (
        "<p class=small>What the rules would do is planned by the keeper's own planner with the means at hand; pools "
        "follow the oracle. It needs the chain, and is not recomputed from the file.</p>"
    )


def _paths_of_prices(inputs: Data, of: Data) -> Iterator[str]:
    for h in of["holdings"]:
        source = inputs["sources"].get(h["driver"] or "")
        if source is None or h["liquidated_at_usd"] is None or len(source["prices"]) < 2:
            continue
        begin = source["prices"][0][0]
        path = [((at - begin) / 86_400, int(price) / 1e8) for at, price in source["prices"]]
        if int(h["price_usd"]) and abs(path[-1][1] * 1e8 / int(h["price_usd"]) - 1) > 0.05:
            continue  # the feed is of what it stands for, and not of the asset itself
        level = int(h["liquidated_at_usd"]) / 1e8
        edge = [(path[0][0], level), (path[-1][0], level)]
        yield lines(
            [(f"price of {h['symbol']}", path), ("liquidation", edge)],
            "days",
            f"{h['symbol']} in dollars, against the price at which the position is liquidated",
        )


def _greeks(of: Data) -> Iterator[str]:
    s = of["sensitivity"]
    rows = [(f"delta of {symbol}", usd_text(int(value))) for symbol, value in s["delta_usd"].items()]
    rows.append(("carry a day", usd_text(int(s["carry_a_day_usd"]))))
    for key, words in (
        ("probability_per_volatility_point", "vega: probability per point of volatility"),
        ("probability_per_fall_of_1_percent", "probability per fall of 1 % of health"),
        ("probability_gamma", "gamma: how that changes by 1 %"),
    ):
        if key in s:
            rows.append((words, f"{s[key] * 100:.4f} %"))
    if of["put"]:
        rows.append(
            (f"a put from the liquidation level, {duration(of['put']['horizon_s'])}", _usd(of["put"]["cost_usd"]))
        )
    yield _html_table(("sensitivity", ""), rows)


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return "<table><tr>" + "".join(f"<th>{escape(h)}</th>" for h in head) + f"</tr>{body}</table>"


def _rescue(found: Data | None) -> str:
    """Return in words what the rules would do."""
    if found is None:
        return "–"
    if found["plan"] is None:
        return str(found["why"])
    part = "helps in part" if found["is_partial"] else "suffices"
    return f"{found['plan']}: health {_health(found['health_factor'])}, costs {_usd(found['cost_usd'])}, {part}"


# --- figures ----------------------------------------------------------------------------------------------------------


def _percent(share: Any) -> str:
    if isinstance(share, dict):
        return "unknown"
    if share is None:
        return "–"
    return f"{share * 100:.2f} %" if share == 0 or share >= 0.0001 else "< 0.01 %"


def _usd(value: Any) -> str:
    return "unknown" if isinstance(value, dict) else usd_text(int(value))


def _health(value: str | None) -> str:
    return "∞" if value is None else f"{int(value) / WAD:.4f}"
