"""Balancer v3's vault, from its table in the network file."""

from __future__ import annotations

from keeper.core.units import Bps
from keeper.venues.balancer_v3.lender import Vault
from keeper.venues.ports import VenueTable


def lender(table: VenueTable) -> Vault:
    """Return the lender of a table."""
    return Vault(table.name, table.addresses["vault"], Bps(table.numbers.get("most_fee_bps", (0,))[0]))
