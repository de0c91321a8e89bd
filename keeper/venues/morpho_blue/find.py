"""One market of Morpho Blue, found by the id that a position names."""

from __future__ import annotations

from keeper.venues.morpho_blue.market import MorphoMarket, discover_market
from keeper.venues.ports import Discovery, Site, VenueTable


def find_market(site: Site, table: VenueTable) -> Discovery[MorphoMarket]:
    """Find a market's terms, tokens and feeds. Raises ReadFailedError."""
    return (yield from discover_market(table.addresses["morpho"], table.part, table.name, site.multicall3))
