"""The assets of a lending market, as discovery found them: what every protocol's listing has, and how one is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from keeper.core import names
from keeper.core.units import Address
from keeper.venues.ports.agency import Agency


@dataclass(frozen=True, slots=True)
class MarketToken:
    """One asset of a market. ``source`` is what the market asks for its price, ``feed`` what says how old it is."""

    asset: Address
    symbol: str
    decimals: int
    source: Address
    feed: Address | None = None
    heartbeat_s: int = 0


L = TypeVar("L", bound=MarketToken)


class Listings(Generic[L]):
    """What a market says of its assets, whichever protocol it is of."""

    __slots__ = ()
    listings: tuple[L, ...]

    @property
    def agency(self) -> Agency | None:
        """Nobody acts for another's account, unless the market says how."""
        return None

    def listing(self, asset: Address) -> L:
        """Return one of its assets; KeyError when it does not list it."""
        for listing in self.listings:
            if listing.asset == asset:
                return listing
        raise KeyError(asset)

    def named(self, name: str) -> L | None:
        """Return an asset by its address, or by a symbol that no other has; letter case aside."""
        return names.only(name, self.listings)


def fed(
    listings: Iterable[L], feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]
) -> tuple[L, ...]:
    """Return assets with the feed behind each price, and how old it may get."""
    return tuple(replace(x, feed=feeds[x.asset], heartbeat_s=heartbeats[x.asset]) for x in listings)
