"""Where an Aave v3 market is and which reserves it has: what does not change from block to block."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.units import Address
from keeper.venues.listings import Listings, MarketToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(MarketToken):
    """One reserve of a market: what does not change from block to block. ``index`` is its bit in user bitmaps."""

    index: int
    a_token: Address
    debt_token: Address
    stable_token: Address | None = None
    """What debts at a stable rate are counted in, where the market has such (3.0, 3.1)."""


@dataclass(frozen=True, slots=True)
class AaveReserves(Listings[Listing]):
    """A market's contracts and its reserves."""

    pool: Address
    oracle: Address
    base_unit: int
    listings: tuple[Listing, ...]
    governed_by: tuple[Address, ...] = ()
    """Contracts that say nothing but what changed in the market: addresses provider, configurator, oracle."""
    name: str = "aave_v3"
    """The name of its table in the network file."""
