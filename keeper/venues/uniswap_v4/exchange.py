"""Uniswap v4 on one chain, as the story knows an exchange.

From a wallet the universal router takes money through Permit2 alone: the token approves Permit2, and Permit2 the
router, each exactly, the second no longer than the deadline. Within a bundle the asset is sent to the router, and sold
by the next call; without a Permit2 that is all it does.
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
from keeper.venues.uniswap_v4.purchases import encode_purchase
from keeper.venues.uniswap_v4.sales import encode_sale, quote_probe
from keeper.venues.uniswap_v4.wallet_effects import buyer, permit2_decoder


@dataclass(frozen=True, slots=True)
class UniswapV4:
    """The contracts, and the name of their table in the network file."""

    name: str
    where: V4Deployment

    @property
    def spender(self) -> Address:
        """Permit2 takes a wallet's money for the router; where none is known nothing is ever approved."""
        return self.where.permit2 or self.where.router

    @property
    def till(self) -> Address:
        """The universal router: what is sold within a bundle is sent there."""
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

    def encode(self, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]) -> tuple[Call, ...]:
        """Return what lets the router take what it sells, and the purchase. Raises ValueError without a Permit2."""
        if self.where.permit2 is None:
            raise ValueError(f"a swap of {symbols[0]} was planned at {self.name}, which sells within bundles alone")
        return encode_purchase(self.where, self.where.permit2, swap, recipient, deadline, symbols)

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return what calls to Permit2 and the router do; without a Permit2 nothing is called from a wallet."""
        at = self.where
        if at.permit2 is None:
            return {}
        return {at.permit2: permit2_decoder(at.router), at.router: buyer(at.router, at.permit2, self._known)}

    def encode_sale(self, route: Route, least: int, recipient: Address, deadline: int) -> Call:
        """Return the sale of all that the router holds by then."""
        return encode_sale(self.where, route, least, recipient, deadline)

    def sellers(self) -> Mapping[Address, Seller]:
        """Return what calls to the router do within a bundle."""
        return {self.where.router: seller(self.where.router, self._known)}

    @property
    def _known(self) -> list[tuple[int, int]]:
        return [(fee, SPACINGS[fee]) for fee in self.where.fee_tiers if fee in SPACINGS]
