"""A market of Compound v3, found from its table: one contract each."""

from __future__ import annotations

from keeper.venues.compound_v3.market import CometMarket, discover_market
from keeper.venues.ports import Discovery, Site, VenueTable


def find_market(site: Site, table: VenueTable) -> Discovery[CometMarket]:
    """Find the base asset, every collateral and their feeds. Raises ReadFailedError."""
    comet, money = table.addresses["comet"], table.addresses.get("money")
    return (yield from discover_market(comet, table.name, site.multicall3, money))
