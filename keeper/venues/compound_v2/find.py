"""A market of the Compound v2 family, found from its table: one comptroller each."""

from __future__ import annotations

from keeper.venues.compound_v2.market import V2Market, discover_market
from keeper.venues.ports import Discovery, Site, VenueTable


def find_market(site: Site, table: VenueTable) -> Discovery[V2Market]:
    """Find every listed token, its asset and the oracle. Raises ReadFailedError."""
    (per_year,) = table.numbers["blocks_per_year"]
    return (yield from discover_market(table.addresses["comptroller"], table.name, site.multicall3, per_year))
