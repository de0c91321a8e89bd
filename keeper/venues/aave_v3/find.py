"""A market of Aave v3, or of a fork of it, found from its table."""

from __future__ import annotations

from keeper.venues.aave_v3.market import AaveMarket, discover_market
from keeper.venues.ports import Discovery, Site, VenueTable


def find_market(site: Site, table: VenueTable) -> Discovery[AaveMarket]:
    """Find pool, oracle and every listed reserve. Raises ReadFailedError."""
    return (yield from discover_market(table.addresses["pool_addresses_provider"], table.name))
