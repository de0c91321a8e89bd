"""The exchange on paper: one pool for every pair, swaps of exact output, and what its calls do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from keeper.backtest.paper_calls import EXCHANGE, ROUTER, encoded, nothing, said
from keeper.core.lending.moves import Route, Swap
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.units import Address
from keeper.venues.effects import Call, Decoder, Effect, Sells
from keeper.venues.ports import Discovery, PoolReference, Pools, Probe, Seller


@dataclass(frozen=True, slots=True)
class PaperExchange:
    """Where an asset is changed for another, on paper."""

    name: str = EXCHANGE
    spender: Address = ROUTER
    till: Address = ROUTER

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Nobody asks."""
        return nothing(self)

    def find_pools(self, assets: Sequence[Address], window_s: int) -> Discovery[Pools]:
        """Nobody asks."""
        return nothing(self)

    def quote_probe(self, asked: Sequence[tuple[QuoteRequest, Route]]) -> Probe[tuple[Quote, ...]]:
        """Nobody asks: the reader has the pools."""
        return nothing(self)

    def encode(self, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]) -> tuple[Call, ...]:
        """Return the call of a swap of exact output."""
        what = {"asset": swap.route.tokens[0], "most": str(swap.sold), "bought": swap.route.tokens[-1]}
        made = encoded(
            ROUTER, f"sell {symbols[0]} for {symbols[1]}", do="swap", **what, least=str(swap.bought), to=recipient,
            deadline=deadline,
        )  # fmt: skip
        return (made,)

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return what calls to it do."""
        return {ROUTER: _of_exchange}

    def encode_sale(self, route: Route, least: int, recipient: Address, deadline: int) -> Call:
        """There are no bundles on paper."""
        return nothing(route)

    def sellers(self) -> Mapping[Address, Seller]:
        """There are no bundles on paper."""
        return {}

    def routes(self, sell: Address, buy: Address, hubs: Sequence[Address]) -> tuple[Route, ...]:
        """Return the one way."""
        return (Route((sell, buy), (0,), self.name),)

    def reference(
        self, asset: Address, others: Sequence[Address], decimals: Callable[[Address], int]
    ) -> PoolReference | None:
        """There is none: pools stand where the file says."""
        return None


def _of_exchange(call: Call) -> tuple[Effect, ...]:
    found, asset, _ = said(call)
    if found["do"] != "swap":
        raise ValueError(f"{call.purpose}: no call of a keeper's")
    most, least, deadline = int(found["most"]), int(found["least"]), int(found["deadline"])
    return (Sells(asset, most, Address(found["bought"]), least, Address(found["to"]), ROUTER, deadline),)
