"""The bank, found from its table of a network file."""

from __future__ import annotations

from keeper.venues.ports import Discovery, Site, VenueTable
from toy_bank.market import ToyMarket, discover


def find_market(site: Site, table: VenueTable) -> Discovery[ToyMarket]:
    """Find the bank. Raises ReadFailedError."""
    return (yield from discover(table.name, table.addresses["bank"]))
