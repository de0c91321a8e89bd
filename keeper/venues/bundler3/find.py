"""Morpho's bundler, from its table in the network file."""

from __future__ import annotations

from keeper.core.units import Bps
from keeper.venues.bundler3.lender import Bundler
from keeper.venues.ports import VenueTable


def lender(table: VenueTable) -> Bundler:
    """Return the lender of a table: one adapter for each lending market that it can speak to."""
    at, most_fee = table.addresses, Bps(table.numbers.get("most_fee_bps", (0,))[0])
    return Bundler(table.name, at["bundler"], at["general_adapter"], at["lender"], table.markets, most_fee)
