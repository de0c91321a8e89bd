"""How perpetual positions and books are shown: rows for tables, and what ``keeper explain`` says of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from keeper.cli.show_results import print_rules, rules_text
from keeper.cli.words import Data, percent, short


def print_all(console: Console, perps: Sequence[Data], books: Sequence[Data]) -> None:
    """Print the tables there is something for."""
    if perps:
        print_perps(console, perps)
    if books:
        print_books(console, books)


def print_perps(console: Console, of: Sequence[Data]) -> None:
    """Print a table of perpetual positions, a row for each leg."""
    table = Table(
        "position", "leg", "mark", "pnl $", "margin", "leverage", "liquidated", "rules",
        box=None, pad_edge=False,
    )  # fmt: skip
    for seen in of:
        if not seen["readable"]:
            table.add_row(seen["name"], "unknown", *[""] * 6)
            continue
        figures, rules = seen["figures"], rules_text(seen["rules"])
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


def print_books(console: Console, of: Sequence[Data]) -> None:
    """Print a table of books: delta, band, who holds what, and what holding it brings or costs in a day."""
    table = Table("book", "delta", "band", "held by", "carry a day", "break-even", box=None, pad_edge=False)
    for seen in of:
        parts = ", ".join(f"{p['holder']} {short(p['delta'])}" for p in seen["parts"])
        carry = seen["carry"]
        delta = f"{short(seen['delta'])} {seen['underlying']}" if seen["readable"] else "unknown"
        band = f"±{short(seen['band'])}"
        table.add_row(seen["name"], delta, band, parts, carry["per_day"], carry["break_even"])
    console.print(table)


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
    print_rules(console, seen)
