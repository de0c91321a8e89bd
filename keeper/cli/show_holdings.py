"""Prices and wallets, as ``keeper status`` shows them under the positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from keeper.cli.words import Data, brief, short, short_address
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address, decimal_of
from keeper.service.opened import Opened
from keeper.service.view import held_tokens

MOST_ROWS = 20
"""More are in --json."""


def prices(console: Console, positions: Sequence[Data]) -> None:
    """Print the oracle's price of every asset in use, and where each position is liquidated by it alone."""
    rows = [(b, p["name"]) for p in positions if p["readable"] for b in p["balances"]]
    if not rows:
        return
    table = Table("price", "$", "liquidated at", "position", box=None, pad_edge=False)
    for balance, name in rows[:MOST_ROWS]:
        low = balance["liquidation_price_usd"]
        table.add_row(balance["symbol"], short(balance["price_usd"]), short(low) if low else "–", name)
    console.print()
    console.print(table)
    if len(rows) > MOST_ROWS:
        console.print(f"and {len(rows) - MOST_ROWS} more: --json lists all")


def wallets(console: Console, engine: Opened, snapshot: Snapshot, names: Mapping[Address, str]) -> None:
    """Print what those who pay have: the coin for gas, and tokens of the market."""
    if not snapshot.wallets:
        return
    table = Table("wallet", "gas money", "tokens", box=None, pad_edge=False)
    for wallet in list(snapshot.wallets.values())[:MOST_ROWS]:
        whose = " ".join(filter(None, (names.get(wallet.address), short_address(wallet.address))))
        held = ", ".join(f"{brief(t['amount'])} {t['symbol']}" for t in held_tokens(engine, wallet))
        table.add_row(whose, brief(decimal_of(wallet.native, 18)) or "0", held or "–")
    console.print()
    console.print(table)
    if len(snapshot.wallets) > MOST_ROWS:
        console.print(f"and {len(snapshot.wallets) - MOST_ROWS} more: --json lists all")
