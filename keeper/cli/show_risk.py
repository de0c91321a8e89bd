"""The risk report for people: a short table on the terminal, and one page with its charts, definitions and sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from rich.console import Console
from rich.table import Table

from keeper.cli.charts import bars, lines
from keeper.cli.words import time_text
from keeper.core.lending.actions import TOP_UP
from keeper.core.units import WAD, Wad, duration, ratio_text, usd_text

Data = dict[str, Any]
DEFINITIONS = {
    "Probability of liquidation": "That the health factor falls to 1 within the time. The larger of two: prices that "
    "move without jumps (reflection principle with drift and interest; Karatzas & Shreve; arXiv 2505.08100), and "
    "prices that jump as they did (Kou & Wang 2003). With several prices shares count as they are now and as they "
    "would be where liquidation begins (Hasofer & Lind 1974, Breitung 1984): the rarer it is, the more the second.",
    "At updates": "The same where health counts only when the oracle speaks, by its mean time between updates "
    "(Broadie, Glasserman & Kou 1997).",
    "Paths": "The same by simulation of every price with its correlations, bridged: a check on the others.",
    "Volatility": "How much a price moves, as a share of itself in a year: the larger of an average that halves every "
    "day (RiskMetrics 1996) and that of the week (realised variance). The probability counts with what it may become "
    "tomorrow, by how much it changed from day to day (Hull & White 1987).",
    "Value at risk, expected shortfall": "What of the owner's own is lost in the worst of a hundred cases; the mean of "
    "the worst fortieth (97.5 %, Basel 2019). What liquidation takes is not in them.",
    "Taken by liquidation": "The liquidation penalty on all that may be repaid, weighed by collateral: at the most.",
    "Together": "Every position on the same paths of all prices, correlations included: no sum. With contagion: what a "
    "liquidation sells presses the price by what pools asked for so much, and the others are judged at that price.",
    "Sold through the pools": "What the pools gave when they were asked for collateral at its size, less what its "
    "price loses in an hour in the worst of a hundred cases.",
    "Put": "What an option costs that pays all that collateral falls below where liquidation begins (Black & Scholes "
    "1973, at the same volatility): a measure of what protection is worth.",
    "The same protection": "What bringing liquidation to 0.2 % within the longest time costs: a top-up by tying "
    "up your own costs, a sale by what pools take, a short by its funding (its margin not counted), a put by its price "
    "(Reiner & Rubinstein 1991, from where liquidation begins; it protects for longer falls as well).",
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
            f"within {duration(of['horizon_s'])}: any liquidated {_percent(of['any'])}, all {_percent(of['all'])}, "
            f"all once sales press prices {_contagion(of)}"
        )
    for of in _groups(made["report"]):
        for line in _group_lines(of, made.get("plans", {}).get(of["name"], {})):
            console.print(line, soft_wrap=True)
    for of in made["report"].get("books", ()):
        if "unknown" in of:
            console.print(f"book {of['name']}: unknown: {of['unknown']}", style="yellow", soft_wrap=True)
    for put in made["report"].get("puts", ()):
        console.print(_put_line(put), style="yellow" if "unknown" in put else None, soft_wrap=True)
    for name in left_out:
        console.print(f"{name}: could not be read: it is in no figure of this report", style="yellow")
    console.print(f"inputs {made['report']['digest'][:16]}; with --html FILE the whole page, with --json everything")


def _of_position(console: Console, of: Data, plans: Data) -> Iterator[str]:
    yield ""
    yield (
        f"{of['name']}: {_standing(of)}, own {_signed_usd(of['own_usd'])}, {_owing(of)}, volatility "
        f"{_percent(of['volatility'])} a year"
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
        figures = _after(x), what, _usd(x["lost_usd"]), _usd(x["taken_usd"])
        stressed.add_row(
            x["shock"],
            *figures,
            _rescue(plans.get(x["shock"]), is_perp="margin_ratio" in x, is_liquidated=x["is_liquidated"]),
        )
    console.print(stressed)
    yield from _in_own_money(of)
    yield from _with_puts(of)
    yield from _compared(of)
    for why in sorted({p["used"]["unknown"] for p in of["probability"] if isinstance(p["used"], dict)}):
        yield f"unknown: {why}"


# --- the page ---------------------------------------------------------------------------------------------------------

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;margin:.6rem 0}"
    "table{display:block;overflow-x:auto;max-width:100%}td,th{padding:.2rem .8rem .2rem 0;text-align:right}"
    "td:first-child,th:first-child,.words{text-align:left}td{white-space:nowrap}td.words{white-space:normal;min-width:12rem}"
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
        rows = [
            (duration(t["horizon_s"]), _percent(t["any"]), _percent(t["all"]), _contagion(t)) for t in of["together"]
        ]
        head = ("within", "any liquidated", "all liquidated", "all, with contagion")
        parts.append("<h2>Together</h2>" + _html_table(head, rows))
    for one in _groups(of):
        parts += _group_sections(one, made.get("plans", {}).get(one["name"], {}))
    for book in of.get("books", ()):
        if "unknown" in book:
            parts.append(f"<h2>{escape(book['name'])}</h2><p class=bad>unknown: {escape(book['unknown'])}</p>")
    if of.get("puts"):
        parts.append("<h2>Puts held</h2>" + "".join(f"<p>{escape(_put_line(put))}</p>" for put in of["puts"]))
        parts.append(f"<p class=small>{escape(PUTS_HELP)}</p>")
    terms = "".join(f"<dt><b>{escape(k)}</b></dt><dd>{escape(v)}</dd>" for k, v in DEFINITIONS.items())
    parts.append(f"<h2>What the figures are</h2><dl>{terms}</dl>")
    parts.append(f"<p class=small>Digest of the inputs: <code>{of['digest']}</code>.</p>")
    parts.append("<p class=small><code>keeper risk --reproduce</code> with this file computes it anew, offline.</p>")
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>Risk at block {block['number']}</title>"
        f"<style>{STYLE}</style>{''.join(parts)}{embedded}</html>\n"
    )


LEAST_SHOWN = 0.01
"""Percent: what is rarer has no line."""


def _sections(inputs: Data, of: Data, plans: Data) -> Iterator[str]:
    yield f"<h2>{escape(of['name'])}</h2>"
    yield _html_table(
        ("stands at", "against", "own", "volatility", "liquidation takes"),
        [
            (
                _standing(of),
                _owing(of),
                _signed_usd(of["own_usd"]),
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
    known = [(p["horizon_s"] / 86_400, p["used"] * 100) for p in of["probability"] if isinstance(p["used"], float)]
    if len(known) > 1 and max(chance for _, chance in known) >= LEAST_SHOWN:
        path = [("probability of liquidation", [(0.0, 0.0), *known])]
        yield lines(path, "days", "Probability over the horizon, in percent", 100.0)
    yield from _paths_of_prices(inputs, of)
    yield from _stress(of["stress"], plans)
    yield from (f"<p>{escape(line)}</p>" for line in (*_in_own_money(of), *_with_puts(of), *_compared(of)))
    yield from _greeks(of, plans)


def _stress(found: Sequence[Data], plans: Data) -> Iterator[str]:
    costs = [(x["shock"], int(x["lost_usd"]) / 1e8, int(x["taken_usd"]) / 1e8, x["is_liquidated"]) for x in found]
    yield bars(costs, "What a shock costs, in dollars: lost (blue), taken by liquidation (red)")
    rows = [
        (
            x["shock"],
            _after(x),
            "yes" if x["is_liquidated"] else "no",
            _usd(x["lost_usd"]),
            _usd(x["taken_usd"]),
            _rescue(plans.get(x["shock"]), is_perp="margin_ratio" in x, is_liquidated=x["is_liquidated"]),
        )
        for x in found
    ]
    yield _html_table(("shock", "health or margin", "liquidated", "lost", "taken", "what the rules would do"), rows)
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


def _greeks(of: Data, plans: Data) -> Iterator[str]:
    s = of["sensitivity"]
    rows = [(f"delta of {symbol}", _signed_usd(value)) for symbol, value in s["delta_usd"].items()]
    rows.append(("carry a day", _signed_usd(s["carry_a_day_usd"])))
    for key, words in (
        ("probability_per_volatility_point", "vega: probability per point of volatility"),
        ("probability_per_fall_of_1_percent", "probability per fall of 1 % of health"),
        ("probability_gamma", "gamma: how that changes by 1 %"),
        ("probability_theta_a_day", "theta: probability per day of interest and drift"),
    ):
        if key in s:
            rows.append((words, f"{s[key] * 100:.4f} %"))
    if (moved := s.get("delta_by_liquidation_per_fall_of_1_percent_usd")) is not None:
        rows.append(("gamma: delta that liquidation is expected to take, per fall of 1 %", _signed_usd(moved)))
    sold = [h for h in of["holdings"] if h.get("worth")]
    rows += [(f"{h['symbol']} sold within an hour through the pools", _usd(h["worth"]["brings_usd"])) for h in sold]
    if of["put"]:
        rows.append(
            (f"a put from the liquidation level, {duration(of['put']['horizon_s'])}", _usd(of["put"]["cost_usd"]))
        )
    yield _html_table(("sensitivity", ""), rows)
    if confident := list(_confident(of)):
        yield _html_table(("at a confidence", ""), confident)
    if moves := list(_deltas(of, plans)):
        yield _html_table(("gamma: delta after", "if nothing is done", "after the rules"), moves)


def _confident(of: Data) -> Iterator[tuple[str, str]]:
    """Yield how soon liquidation is so probable, and how low health or its margin's worth falls at the most."""
    for x in of["until"]:
        if not isinstance(x["seconds"], dict):
            soon = "not within 100 years" if x["seconds"] is None else duration(round(x["seconds"]))
            yield f"liquidation is {x['probability']:.0%} probable within", soon
    for x in of["probability"]:
        if isinstance(x.get("health_at_95"), float):
            yield (
                f"in 95 of 100 cases health over its limit stays above, {duration(x['horizon_s'])}",
                f"{x['health_at_95']:.4f}",
            )


def _deltas(of: Data, plans: Data) -> Iterator[tuple[str, str, str]]:
    """Yield how delta moves as prices do, and as the rules' own sales move it."""
    for x in of["stress"]:
        plan = plans.get(x["shock"]) or {}
        if x.get("delta_usd") and x["shock"] in MOVES_ALONE:
            yield x["shock"], _sides(x["delta_usd"]), _sides(plan["delta_usd"]) if plan.get("delta_usd") else "the same"


def _sides(delta: Data) -> str:
    return ", ".join(f"{symbol} {_signed_usd(value)}" for symbol, value in delta.items())


MOVES_ALONE = tuple(f"everything but dollars {move} %" for move in ("−20", "−40", "−60", "+20", "+40"))
"""The shocks that move prices alone."""


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return "<table><tr>" + "".join(f"<th>{escape(h)}</th>" for h in head) + f"</tr>{body}</table>"


def _cell(text: str) -> str:
    return f"<td class=words>{escape(text)}</td>" if len(text) > WORDS else f"<td>{escape(text)}</td>"


WORDS = 24
"""A cell that is longer is a sentence, and no figure."""


def _rescue(found: Data | None, *, is_perp: bool = False, is_liquidated: bool = False) -> str:
    """Return in words what the rules would do."""
    if found is None:
        return "–"
    if found["plan"] is None:
        return str(found["why"])
    part = "helps in part" if found["is_partial"] else "suffices"
    left = _percent(int(found["health_factor"]) / WAD) if is_perp else f"health {_health(found['health_factor'])}"
    late = "; a liquidator may come first" if is_liquidated else ""
    return f"{found['plan']}: {left}, costs {_usd(found['cost_usd'])}, {part}{late}"


def _saved(x: Data, plans: Data | None) -> str:
    """Return in words whom the rules would save of several, and why not the others."""
    if not plans:
        return ""
    acting = {name: of for name, of in plans.items() if of["plan"] is not None}
    safe = [name for name, of in acting.items() if of.get("is_safe", True)]
    parts = (
        [f"keep {', '.join(safe)} safe for {usd_text(sum(int(acting[n]['cost_usd']) for n in safe))}"] if safe else []
    )
    if short := [name for name in acting if name not in safe]:
        parts.append(f"help {', '.join(short)} too little")
    parts += [f"{name}: {of['why']}" for name, of in plans.items() if of["plan"] is None and name in x["liquidated"]]
    return "; ".join(parts)


def _standing(of: Data) -> str:
    """Return how near liquidation a position is, by its venue's own figure."""
    if of.get("kind") == "perp":
        ratio = of["margin_ratio"]
        return "no size" if ratio is None else f"margin ratio {_percent(int(ratio) / WAD)}"
    return f"health {_health(of['health_factor'])}"


def _owing(of: Data) -> str:
    if of.get("kind") == "perp":
        return f"size {_usd(of['notional_usd'])}"
    return f"debt {_usd(of['debt_usd'])}"


def _after(x: Data) -> str:
    """Return where a shock leaves a position."""
    if "margin_ratio" in x:
        return "no size" if x["margin_ratio"] is None else _percent(int(x["margin_ratio"]) / WAD)
    return _health(x["health_factor"])


# --- all of them, and books -------------------------------------------------------------------------------------------


def _groups(of: Data) -> list[Data]:
    """Return everything together, and each book that is known in full."""
    whole = [of["everything"]] if of.get("everything") else []
    return [*whole, *(b for b in of.get("books", ()) if "unknown" not in b)]


def _group_lines(of: Data, plans: Data) -> Iterator[str]:
    yield ""
    deltas = ", ".join(f"{u['underlying']} {_signed_usd(u['delta_usd'])}" for u in of["underlyings"]) or "none"
    yield f"{of['name']} ({', '.join(of['positions'])}): delta {deltas}; a day {_signed_usd(of['carry_a_day_usd'])}"
    for lost in of["lost"]:
        yield (
            f"within {duration(lost['horizon_s'])}: value at risk {_usd(lost['value_at_risk_usd'])}, shortfall "
            f"{_usd(lost['expected_shortfall_usd'])}, at stake {_usd(lost['expected_liquidation_usd'])}"
        )
    for x in of["stress"]:
        gone = f", liquidated: {', '.join(x['liquidated'])}" if x["liquidated"] else ""
        yield f"{x['shock']}: {_gain(x['lost_usd'])}, liquidation takes {_usd(x['taken_usd'])}{gone}"
        if said := _saved(x, plans.get(x["shock"])):
            yield f"  the rules: {said}"


def _group_sections(of: Data, plans: Data) -> Iterator[str]:
    yield f"<h2>{escape(of['name'])}</h2><p class=small>{escape(', '.join(of['positions']))}</p>"
    yield _html_table(
        ("underlying", "delta", "share", "of"),
        [
            (
                u["underlying"],
                _signed_usd(u["delta_usd"]),
                f"{u['share_bps'] / 100:.0f} %",
                ", ".join(f"{holder} {_signed_usd(value)}" for holder, value in u["of"].items()),
            )
            for u in of["underlyings"]
        ],
    )
    yield _html_table(
        ("within", "value at risk", "shortfall", "at stake"),
        [
            (
                duration(x["horizon_s"]),
                _usd(x["value_at_risk_usd"]),
                _usd(x["expected_shortfall_usd"]),
                _usd(x["expected_liquidation_usd"]),
            )
            for x in of["lost"]
        ],
    )
    yield _html_table(
        ("shock", "comes to", "liquidation takes", "liquidated", "what the rules would do, out of the same wallets"),
        [
            (
                x["shock"],
                _gain(x["lost_usd"]),
                _usd(x["taken_usd"]),
                ", ".join(x["liquidated"]) or "none",
                _saved(x, plans.get(x["shock"])) or "–",
            )
            for x in of["stress"]
        ],
    )
    vega = of["stake_per_volatility_point_usd"]
    yield _html_table(
        ("sensitivity", ""),
        [
            ("carry a day", _signed_usd(of["carry_a_day_usd"])),
            ("vega: at stake per point of volatility", "unknown" if isinstance(vega, dict) else _signed_usd(vega)),
        ],
    )


def _contagion(of: Data) -> str:
    found = of.get("with_contagion")
    if not isinstance(found, dict) or "unknown" in found:
        return "unknown"
    return _percent(found["all"])


def _signed_usd(value: str) -> str:
    return f"−{usd_text(-int(value))}" if int(value) < 0 else usd_text(int(value))


def _gain(lost: str) -> str:
    return f"lost {usd_text(int(lost))}" if int(lost) >= 0 else f"gained {usd_text(-int(lost))}"


# --- puts that are held -----------------------------------------------------------------------------------------------

PUTS_HELP = (
    "No venue counts a put, and the keeper can't exercise one. The figures with puts hold only where you turn what "
    "they pay into money and pay it in before liquidation begins. Paths and joint figures are without them."
)


def _put_line(put: Data) -> str:
    if "unknown" in put:
        return f"put {put['name']}: {put['unknown']}"
    size, strike = ratio_text(Wad(int(put["size"]))), usd_text(int(put["strike_usd"]))
    worth = f"worth {_usd(put['worth_usd'])}, delta {_signed_usd(put['delta_usd'])}"
    return f"put {put['name']} for {put['of']}: {size} {put['underlying']} at {strike}: {worth}"


WAYS = {TOP_UP.key: "a top-up", "sale": "a sale", "hedge": "a short", "put": "a put"}


def _cost(value: Any) -> str:
    return _usd(value) if isinstance(value, dict) else _signed_usd(value)


def _in_own_money(of: Data) -> Iterator[str]:
    """Yield what may be lost in the money that the market counts in, where that is no dollar."""
    if not (found := of.get("own_money")):
        return
    for x in found["lost"]:
        risk, shortfall = (
            "unknown" if isinstance(x[key], dict) else f"{x[key]:.6g} {found['unit']}"
            for key in ("value_at_risk", "expected_shortfall")
        )
        yield f"in {found['unit']}, within {duration(x['horizon_s'])}: value at risk {risk}, shortfall {shortfall}"


def _compared(of: Data) -> Iterator[str]:
    """Yield what the same protection costs each way."""
    if not (found := of.get("benchmark")):
        return
    ways = "; ".join(
        f"{WAYS[k]} of {_usd(w['size_usd'])} costs {_cost(w['cost_usd'])}" for k, w in found["ways"].items()
    )
    yield f"to {_percent(found['target'])} liquidation within {duration(found['horizon_s'])}: {ways}"


def _with_puts(of: Data) -> Iterator[str]:
    """Yield what puts that are held for a position change, where the owner pays in what they pay."""
    chances = [f"{duration(p['horizon_s'])} {_percent(p['with_puts'])}" for p in of["probability"] if "with_puts" in p]
    if not chances:
        return
    yield f"liquidation, where what its puts pay is paid in before: within {', within '.join(chances)}"
    for x in of["stress"]:
        if int(x["puts_pay_usd"]):
            then = ", which would save it" if x["puts_would_save"] else ""
            yield f"{x['shock']}: its puts pay {_usd(x['puts_pay_usd'])}: health {_health(x['health_with_puts'])}{then}"


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
