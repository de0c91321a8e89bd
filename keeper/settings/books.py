"""From a book as written to a book."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from keeper.core.book.position import Book
from keeper.core.book.unhedged import NakedBudget
from keeper.core.units import WAD, Wad, scaled
from keeper.settings.fields import as_address
from keeper.settings.model import Signer
from keeper.settings.perp_schema import BookTable


def build_book(table: BookTable, signers: Mapping[str, Signer]) -> Book:
    """Return a book with its wallets as addresses."""
    wallets = [signers[w].address if w in signers else as_address(w) for w in table.wallets]
    follows = {symbol.lower(): what.upper() for symbol, what in table.follows.items()}
    budget = table.naked_budget
    return Book(
        name=table.name,
        positions=tuple(dict.fromkeys(table.positions)),
        wallets=tuple(dict.fromkeys(wallets)),  # named twice, by signer and by address, it still is one
        hedges=tuple(dict.fromkeys(table.hedge)),
        follows=follows,
        unwinds=table.unwind,
        budget=NakedBudget(Wad(scaled(budget.size, WAD)), ceil(budget.time)),
    )
