"""Where an Aave v3 market is and which reserves it has: what does not change from block to block."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core import names
from keeper.core.units import Address


@dataclass(frozen=True, slots=True)
class Listing:
    """One reserve of a market: what does not change from block to block. ``index`` is its bit in user bitmaps."""

    index: int
    asset: Address
    symbol: str
    decimals: int
    a_token: Address
    debt_token: Address
    source: Address
    feed: Address | None = None
    heartbeat_s: int = 0


@dataclass(frozen=True, slots=True)
class AaveReserves:
    """A market's contracts and its reserves."""

    pool: Address
    oracle: Address
    base_unit: int
    listings: tuple[Listing, ...]
    governed_by: tuple[Address, ...] = ()
    """Contracts that say nothing but what changed in the market: addresses provider, configurator, oracle."""
    name: str = "aave_v3"
    """The name of its table in the network file."""

    def listing(self, asset: Address) -> Listing:
        """Return a reserve by its asset; KeyError when the market does not list it."""
        for listing in self.listings:
            if listing.asset == asset:
                return listing
        raise KeyError(asset)

    def named(self, name: str) -> Listing | None:
        """Return a reserve by its address, or by a symbol that no other has; letter case aside."""
        return names.only(name, self.listings)
