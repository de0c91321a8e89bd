"""The bank, found from its table of a network file."""

from __future__ import annotations

from keeper.venues.ports import Discovery
from keeper.venues.registry import MarketTable
from toy_bank.market import ToyMarket, discover


def find_market(table: MarketTable) -> Discovery[ToyMarket]:
    """Find the bank. Raises ReadFailedError."""
    return (yield from discover(table.name, table.addresses["bank"]))
