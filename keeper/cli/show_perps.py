"""How perpetual positions and books are shown: rows for tables, and plain data for --json."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from keeper.core.book.carry import Carry
from keeper.core.book.rules import BookAssessment
from keeper.core.perp.rules import PerpAssessment
from keeper.core.rules import Unjudged
from keeper.core.words import short
from keeper.engine.perp import report
from keeper.engine.report import Data


def data_of(of: PerpAssessment | BookAssessment | Unjudged) -> Data:
    """Return what was judged as plain data."""
    return report.book(of) if isinstance(of, BookAssessment) else report.assessment(of)


def print_others(console: Console, row: Data) -> None:
    """Print what the other rules came to: none speaks for another."""
    for other in row["others"]:
        whose = f"rule {other['rule']}: " if other["rule"] else ""
        detail = f": {other['detail']}" if other["detail"] else ""
        console.print(f"  also: {whose}{other['text']}{detail}", soft_wrap=True)


def print_result(console: Console, row: Data) -> None:
    """Print what one cycle saw, decided and did about a perpetual position or a book."""
    figure = f"margin ratio {percent(row['margin_ratio'])}" if "margin_ratio" in row else ""
    figure = f"delta {short(row['delta'])}" if "delta" in row else figure
    console.print(f"{row['name']}  {figure}")
    print_others(console, row)
    decision = row["decision"]
    if decision["kind"] == "hold":
        console.print(f"  holds: {decision['text']}")
        for key in ("detail", "remedy"):
            if decision[key]:
                console.print(f"  {key}: {decision[key]}", soft_wrap=True)
        return
    plan, rehearsal, outcome = row["plan"], row["rehearsal"], row["outcome"]
    partial = " (partial: all that the limits allow)" if plan["is_partial"] else ""
    console.print(f"  rule {decision['rule']} fires; target {decision['target']}")
    console.print(f"  plan: {plan['label']}{partial}, costs ${plan['cost_usd']['total']}", soft_wrap=True)
    console.print(f"  rehearsed by {rehearsal['where']}: {rehearsal['gas_used']} gas")
    table = Table("", "before", "after", box=None, pad_edge=False)
    before, after = plan["before"], rehearsal["after"]
    table.add_row("  margin ratio", percent(before["margin_ratio"]), percent(after["margin_ratio"]))
    table.add_row("  equity $", before["equity_usd"], after["equity_usd"])
    table.add_row("  notional $", before["notional_usd"], after["notional_usd"])
    console.print(table)
    if outcome:
        console.print(f"  {outcome['kind']}: {outcome['detail']}", soft_wrap=True)
        for hash_ in outcome["transactions"]:
            console.print(f"    {hash_}")


def print_all(
    console: Console, perps: Sequence[PerpAssessment | Unjudged], books: Sequence[tuple[BookAssessment, Carry]]
) -> None:
    """Print the tables there is something for."""
    if perps:
        print_perps(console, perps)
    if books:
        print_books(console, books)


def print_perps(console: Console, of: Sequence[PerpAssessment | Unjudged]) -> None:
    """Print a table of perpetual positions, a row for each leg."""
    table = Table(
        "position", "leg", "mark", "pnl $", "margin", "leverage", "liquidated", "rules",
        box=None, pad_edge=False,
    )  # fmt: skip
    for one in of:
        seen = report.assessment(one)
        if not seen["readable"]:
            table.add_row(seen["name"], "unknown", *[""] * 6)
            continue
        figures, fired = seen["figures"], [r["rule"] for r in seen["rules"] if r["fired"]]
        rules = rules_text(fired, seen["rules"])
        for leg in [x for x in seen["legs"] if x["side"] != "none"] or [None]:
            table.add_row(
                seen["name"],
                f"{leg['side']} {short(leg['size'].removeprefix('-'))} {leg['market']}" if leg else "no size",
                short(leg["mark_price_usd"], 2) if leg else "",
                leg["unrealized_pnl_usd"] if leg else "",
                percent(figures["margin_ratio"]),
                short(figures["leverage"], 2),
                short(leg["liquidation_price_usd"], 2) if leg and leg["liquidation_price_usd"] else "–",
                rules,
            )
    console.print(table)


def rules_text(fired: Sequence[str], rules: Sequence[Data]) -> str:
    """Return how many rules rest, which fire, and which measure nothing: those are not at rest."""
    blind = [rule["rule"] for rule in rules if rule["doubt"]]
    resting = len(rules) - len(fired) - len(blind)
    stated = [f"{', '.join(fired)} fires"] if fired else [f"{resting} rest"] if resting else []
    stated += [f"{', '.join(blind)} measures nothing"] if blind else []
    return "; ".join(stated) or "none"


def print_books(console: Console, of: Sequence[tuple[BookAssessment, Carry]]) -> None:
    """Print a table of books: delta, band, who holds what, and what holding it brings or costs in a day."""
    table = Table("book", "delta", "band", "held by", "carry a day", "break-even", box=None, pad_edge=False)
    for one, earned in of:
        seen = report.book(one, earned)
        parts = ", ".join(f"{p['holder']} {short(p['delta'])}" for p in seen["parts"])
        carry = seen["carry"]
        delta = f"{short(seen['delta'])} {seen['underlying']}" if seen["readable"] else "unknown"
        band = f"±{short(seen['band'])}"
        table.add_row(seen["name"], delta, band, parts, carry["per_day"], carry["break_even"])
    console.print(table)


def concerns(of: PerpAssessment | BookAssessment | Unjudged) -> list[str]:
    """Return what the owner should know of a position or a book."""
    seen = data_of(of)
    if isinstance(of, Unjudged):
        return [f"{seen['name']}: {seen['detail']} ({seen['reason']})"]
    lines = [f"{seen['name']}: {rule['doubt']}" for rule in seen.get("rules", ()) if rule["doubt"]]
    lines += [f"{seen['name']}: {d['detail']} ({d['reason']})" for d in seen["doubts"]]
    if seen.get("naked"):
        lines.append(f"{seen['name']}: {seen['naked']}")
    return lines


def print_seen(console: Console, seen: Data) -> None:
    """Print figures and rules of a perpetual position or a book, as explain shows them."""
    for part in seen.get("parts", ()):
        console.print(f"{part['holder']}: {short(part['delta'])} {part['underlying']} as {part['asset']}")
    if seen.get("carry"):
        for line in seen["carry"]["lines"]:
            console.print(line, soft_wrap=True)
    for leg in seen.get("legs", ()):
        if leg["side"] != "none":
            low = leg["liquidation_price_usd"]
            console.print(
                f"{leg['side']} {short(leg['size'])} {leg['market']}: entry {short(leg['entry_price_usd'], 2)}, "
                f"mark {short(leg['mark_price_usd'], 2)}, index {short(leg['index_price_usd'], 2)}, "
                f"profit ${leg['unrealized_pnl_usd']}, funding owed ${leg['funding_owed_usd']}, "
                f"funding {percent(leg['funding_rate_year'])} a year, "
                f"liquidation at {short(low, 2) if low else 'none'}",
                soft_wrap=True,
                markup=False,
            )
    for order in seen.get("orders", ()):
        state = "frozen" if order["is_frozen"] else "rests" if order["trigger_price"] else "waits for the venue"
        at = f" at {order['trigger_price']}" if order["trigger_price"] else ""
        console.print(f"order {order['kind']}{at}, ${order['size_usd']}: {state}")
    for rule in seen.get("rules", ()):
        verdict = f"measures nothing: {rule['doubt']}" if rule["doubt"] else "fires" if rule["fired"] else "rests"
        measured = f"{rule['measure']} {rule['measured'] or '–'}, bound {rule['bound']}"
        console.print(f"rule {rule['rule']}: {measured}: {verdict}", soft_wrap=True)
    for doubt in seen.get("doubts", ()):
        console.print(f"in doubt: {doubt['detail']} ({doubt['reason']})", style="yellow")


def percent(value: str | None) -> str:
    """Return a ratio for people, in percent."""
    return "∞" if value is None else f"{float(value) * 100:.2f} %"
