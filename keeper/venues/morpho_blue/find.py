"""One market of Morpho Blue, found by the id that a position names; and the ids that an owner's events name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keeper.core.units import Address
from keeper.venues.morpho_blue.events import SUPPLY
from keeper.venues.morpho_blue.market import MorphoMarket, discover_market
from keeper.venues.ports import Discovery, Owned, OwnedByLogs, Site, VenueTable


def find_market(site: Site, table: VenueTable) -> Discovery[MorphoMarket]:
    """Find a market's terms, tokens and feeds. Raises ReadFailedError."""
    lines, factory = tuple(table.markets.values()), table.addresses.get("pre_liquidation_factory")
    found = yield from discover_market(
        table.addresses["morpho"], table.part, table.name, site.multicall3, lines, factory
    )
    return found


def owned_by_logs(table: VenueTable, owner: Address) -> OwnedByLogs:
    """Return how an owner's markets are found: whoever borrows was once supplied collateral there."""
    who = "0x" + owner[2:].lower().rjust(64, "0")
    asked = {"address": table.addresses["morpho"], "topics": [SUPPLY, None, None, who]}

    def found(logs: Sequence[dict[str, Any]]) -> tuple[Owned, ...]:
        ids = dict.fromkeys(str(log["topics"][1]) for log in logs)
        return tuple(Owned(f"{table.name}-{id_[2:10]}", id_) for id_ in ids)

    return OwnedByLogs(table.numbers["since"][0], (asked,), found)
