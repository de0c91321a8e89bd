"""Uniswap v3 on one chain, as the story knows an exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from keeper.core.lending.moves import Route, Swap
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.units import Address
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports import Discovery, PoolReference, Probe, Seller
from keeper.venues.uniswap_v3.averages import Reference, reference_for
from keeper.venues.uniswap_v3.effects import router_decoder, router_seller
from keeper.venues.uniswap_v3.pools import Pool, UniswapDeployment, discover_faults, discover_pools, routes
from keeper.venues.uniswap_v3.swaps import encode_sale, encode_swap, quote_probe


@dataclass(frozen=True, slots=True)
class UniswapPools:
    """The pools between some assets, as they were found. ``exchange`` is the name of the table."""

    exchange: str
    pools: tuple[Pool, ...]

    def routes(self, sell: Address, buy: Address, hubs: Sequence[Address]) -> tuple[Route, ...]:
        """Return the ways from one asset to another: direct, and through each hub."""
        return routes(self.exchange, self.pools, sell, buy, hubs)

    def reference(
        self, asset: Address, others: Sequence[Address], decimals: Callable[[Address], int]
    ) -> PoolReference | None:
        """Return the deepest pool that remembers, between an asset and any of ``others``."""
        found: Reference | None = reference_for(asset, others, self.pools, decimals)
        return found


@dataclass(frozen=True, slots=True)
class UniswapV3:
    """The contracts, and the name of their table in the network file."""

    name: str
    where: UniswapDeployment

    @property
    def spender(self) -> Address:
        """SwapRouter02 takes what is sold."""
        return self.where.router

    @property
    def till(self) -> Address:
        """The same router sells what it holds."""
        return self.where.router

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Find which addresses are not what they are said to be."""
        return (yield from discover_faults(self.where))

    def find_pools(self, assets: Sequence[Address], window_s: int) -> Discovery[UniswapPools]:
        """Find every pool between the assets."""
        return UniswapPools(self.name, (yield from discover_pools(self.where, assets, window_s)))

    def quote_probe(self, asked: Sequence[tuple[QuoteRequest, Route]]) -> Probe[tuple[Quote, ...]]:
        """Return the probe of what each request costs by its route."""
        return quote_probe(self.where, asked)

    def encode(self, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]) -> tuple[Call, ...]:
        """Return the call of a swap of exact output, void after the deadline."""
        return (encode_swap(self.where, swap, recipient, deadline, symbols),)

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return what calls to the router do."""
        return {self.where.router: router_decoder(self.where.router, self.where.fee_tiers)}

    def encode_sale(self, route: Route, least: int, recipient: Address, deadline: int) -> Call:
        """Return the sale of all that the router holds by then."""
        return encode_sale(self.where, route, least, recipient, deadline)

    def sellers(self) -> Mapping[Address, Seller]:
        """Return what calls to the router do within a bundle."""
        return {self.where.router: router_seller(self.where.router, self.where.fee_tiers)}
