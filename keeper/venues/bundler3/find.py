"""Morpho's bundler, from its table in the network file."""

from __future__ import annotations

from keeper.venues.bundler3.lender import Bundler
from keeper.venues.ports import VenueTable


def lender(table: VenueTable) -> Bundler:
    """Return the lender of a table: one adapter for each lending market that it can speak to."""
    at = table.addresses
    return Bundler(table.name, at["bundler"], at["general_adapter"], at["lender"], table.markets)
