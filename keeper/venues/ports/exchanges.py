"""What an exchange is: pools and quotes, a reference price, the call of a swap, and its decoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from keeper.core.lending.moves import Route, Swap
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.prices import SecondPrice
from keeper.core.units import Address
from keeper.venues.effects import Call, Decoder, Flow
from keeper.venues.ports.reads import Discovery, Probe

Seller = Callable[[Address, bytes], tuple[Flow, ...]]
"""What a call to an exchange does within a bundle, made by a hand. Raises ValueError for what a keeper never sends."""


class PoolReference(Protocol):
    """Pools that give an asset's price in terms of another asset, hard to move within a block."""

    @property
    def asset(self) -> Address:
        """Whose price it is."""

    @property
    def quote(self) -> Address:
        """In terms of which asset."""

    @property
    def depth(self) -> int:
        """How much of the asset stands behind it."""

    def probe(self, window_s: int) -> Probe[Callable[[int], SecondPrice]]:
        """Return the probe of the average over a time and of the price now, for a price of the quote asset.

        Pools that do not answer give a price without readings: a doubt.
        """


class Pools(Protocol):
    """The pools of one exchange between some assets, as they were found."""

    def routes(self, sell: Address, buy: Address, hubs: Sequence[Address]) -> tuple[Route, ...]:
        """Return the ways from one asset to another: direct ones, and through each hub. Each names the exchange."""

    def reference(
        self, asset: Address, others: Sequence[Address], decimals: Callable[[Address], int]
    ) -> PoolReference | None:
        """Return the best reference for an asset's price in terms of any of ``others``; None when there is none."""


class Exchange(Protocol):
    """One place where an asset is changed for another: a table of the network file, of whichever protocol."""

    @property
    def name(self) -> str:
        """The name of its table, which routes and approvals carry."""

    @property
    def spender(self) -> Address:
        """Who takes what a wallet sells, and is approved for it."""

    @property
    def till(self) -> Address:
        """Who sells within a bundle: what is sold is sent there before."""

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Find what is wrong with the addresses of its table, each led by the key."""

    def find_pools(self, assets: Sequence[Address], window_s: int) -> Discovery[Pools]:
        """Find every pool between the assets, and which of them remember ``window_s``."""

    def quote_probe(self, asked: Sequence[tuple[QuoteRequest, Route]]) -> Probe[tuple[Quote, ...]]:
        """Return the probe of what each request costs by its route; routes that cannot serve it are left out."""

    def encode(self, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]) -> tuple[Call, ...]:
        """Return the call that buys exactly so much for at most so much, void after ``deadline`` (unix seconds).

        It is the last; what goes before only lets somebody take what it sells, exactly, and no longer than that.
        """

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return the contracts that a keeper calls, and what calls to each do: the gate's allow-list."""

    def encode_sale(self, route: Route, least: int, recipient: Address, deadline: int) -> Call:
        """Return the call that sells all of ``route.tokens[0]`` that ``till`` holds by then, for at least so much.

        It is a call within a bundle: a call before it sent the asset there.
        """

    def sellers(self) -> Mapping[Address, Seller]:
        """Return the contracts that sell within a bundle, and what calls to each do there."""
