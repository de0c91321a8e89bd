"""How loans are shown: a row in the table of ``keeper status``, and their balances in ``keeper explain``."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from keeper.cli.show_results import print_rules, rules_text
from keeper.cli.words import Data, brief, money, percent, short


def print_loans(console: Console, of: Sequence[Data]) -> None:
    """Print a table of loans, if there are any."""
    if not of:
        return
    table = Table("position", "health", "collateral", "debt", "liquidated when", "rules", box=None, pad_edge=False)
    for one in of:
        table.add_row(*_row(one))
    console.print(table)


def print_loan(console: Console, seen: Data) -> None:
    """Print balances, what liquidates, and rules of a loan."""
    table = Table("asset", "supplied", "borrowed", "price", "liquidation at", box=None, pad_edge=False)
    for b in seen["balances"]:
        supplied = f"{brief(b['supplied'])}{'' if b['is_collateral'] or not brief(b['supplied']) else ' (idle)'}"
        table.add_row(b["symbol"], supplied, brief(b["borrowed"]), short(b["price_usd"]), _liquidation(b))
    console.print(table)
    if (least := seen["liquidates"]["least_move"]) is not None:
        at_once = f"{percent(seen['liquidates']['all_at_once'], 1)} where all move against it at once"
        console.print(f"liquidated when {_moves(least)}, or by {at_once}", markup=False, soft_wrap=True)
    for line in seen.get("second_lines", ()):
        console.print(_second_line(line), markup=False, soft_wrap=True)
    print_rules(console, seen)


def _second_line(line: Data) -> str:
    first, health = line["first"], short(line["begins_at_health"])
    share, extra = percent(first["share"], 1), percent(first["penalty"], 1)
    what = f"up to {share} of the debt for {extra} of it, below health {health}"
    state = f"sells {what}, with or without a keeper" if line["is_let"] else f"would sell {what}; you have not let it"
    if not line.get("is_known", True):
        state = "was not made by the protocol's factory: nobody knows what it does"
    return f"second line {line['contract']} {state}"


def _row(one: Data) -> tuple[str, ...]:
    if not one["readable"]:
        return one["name"], "unknown", "", "", "", ""
    f, least = one["figures"], one["liquidates"]["least_move"]
    distance = _moves(least) if f["health_factor"] and least else "never"
    worth = money(f["collateral_usd"]), money(f["debt_usd"])
    return one["name"], short(f["health_factor"]), *worth, distance, rules_text(one["rules"])


def _liquidation(balance: Data) -> str:
    price, sign = balance["liquidation_price_usd"], "+" if balance["liquidation_when"] == "rises" else "-"
    return f"{short(price)} ({sign}{percent(balance['liquidation_move'], 1)})" if price else "–"


def _moves(least: Data) -> str:
    """Return a price's move that liquidates, for people."""
    return f"{least['symbol']} {least['when']} by {percent(least['move'], 1)}"
