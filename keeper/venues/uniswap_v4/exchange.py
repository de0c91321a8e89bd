"""Uniswap v4 on one chain, as the story knows an exchange: it sells within bundles.

From a wallet the universal router takes money through Permit2 alone, by two approvals: that is not built (decision 32).
Within a bundle the asset is sent to the router, and sold by the next call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.core.lending.moves import Route, Swap
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.units import Address
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports import Discovery, Pools, Probe, Seller
from keeper.venues.uniswap_v4.effects import seller
from keeper.venues.uniswap_v4.pools import SPACINGS, V4Deployment, discover_faults, discover_pools
from keeper.venues.uniswap_v4.sales import encode_sale, quote_probe


@dataclass(frozen=True, slots=True)
class UniswapV4:
    """The contracts, and the name of their table in the network file."""

    name: str
    where: V4Deployment

    @property
    def spender(self) -> Address:
        """The universal router: what is sold is sent there. Nothing is ever approved for it."""
        return self.where.router

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Find which addresses are not what they are said to be."""
        return (yield from discover_faults(self.where))

    def find_pools(self, assets: Sequence[Address], window_s: int) -> Discovery[Pools]:
        """Find every pool without hooks between the assets."""
        del window_s
        found: Pools = yield from discover_pools(self.where, self.name, assets)
        return found

    def quote_probe(self, asked: Sequence[tuple[QuoteRequest, Route]]) -> Probe[tuple[Quote, ...]]:
        """Return the probe of what each request costs by its pool."""
        return quote_probe(self.where, asked)

    def encode(self, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]) -> Call:
        """Raise ValueError: it takes nothing from a wallet."""
        raise ValueError(f"a swap of {symbols[0]} was planned at {self.name}, which sells within bundles alone")

    def decoders(self) -> Mapping[Address, Decoder]:
        """Nothing is called from a wallet."""
        return {}

    def encode_sale(self, route: Route, least: int, recipient: Address, deadline: int) -> Call:
        """Return the sale of all that the router holds by then."""
        return encode_sale(self.where, route, least, recipient, deadline)

    def sellers(self) -> Mapping[Address, Seller]:
        """Return what calls to the router do within a bundle."""
        known = [(fee, SPACINGS[fee]) for fee in self.where.fee_tiers if fee in SPACINGS]
        return {self.where.router: seller(self.where.router, known)}
