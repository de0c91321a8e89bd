"""Uniswap v3, or a fork of it, from its table in the network file."""

from __future__ import annotations

from keeper.venues.ports import VenueTable
from keeper.venues.uniswap_v3.exchange import UniswapV3
from keeper.venues.uniswap_v3.pools import UniswapDeployment


def exchange(table: VenueTable) -> UniswapV3:
    """Return the exchange of a table."""
    at = table.addresses
    where = UniswapDeployment(at["factory"], at["quoter_v2"], at["swap_router_02"], table.numbers["fee_tiers"])
    return UniswapV3(table.name, where)
