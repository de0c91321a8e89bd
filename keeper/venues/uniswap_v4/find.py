"""Uniswap v4 from its table in the network file."""

from __future__ import annotations

from keeper.venues.ports import VenueTable
from keeper.venues.uniswap_v4.exchange import UniswapV4
from keeper.venues.uniswap_v4.pools import V4Deployment


def exchange(table: VenueTable) -> UniswapV4:
    """Return the exchange of a table."""
    at = table.addresses
    where = V4Deployment(
        at["pool_manager"], at["quoter"], at["universal_router"], table.numbers["fee_tiers"], at.get("permit2")
    )
    return UniswapV4(table.name, where)
