"""What a trade costs now, and the sale of all that the router holds. ``effects`` reads it back for the gate.

Source: ``UniversalRouter`` 2.0.0 (command ``V4_SWAP``) and v4-periphery's ``V4Router``: settle what the router holds,
swap the whole credit, take the whole debt. Nothing stays in the router.
"""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.lending.moves import Route
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.units import Address, Amount, Wei
from keeper.venues.codec.abi import load
from keeper.venues.codec.values import encode
from keeper.venues.ports import Answer, Call, Probe
from keeper.venues.uniswap_v4.pools import V4Deployment, key_of

_V4 = load("uniswap_v4")
QUOTE_GAS = 400_000
V4_SWAP = b"\x10"
SETTLE, SWAP_EXACT_IN_SINGLE, TAKE = 0x0B, 0x06, 0x0E
ALL_IT_HOLDS, ALL_OF_IT = 2**255, 0
"""The router's words: its whole balance; the whole of what is open."""
SWAP = ["((address,address,uint24,int24,address),bool,uint128,uint128,bytes)"]


def quote_probe(at: V4Deployment, requests: Sequence[tuple[QuoteRequest, Route]]) -> Probe[tuple[Quote, ...]]:
    """Return the probe of what each request costs by its pool; pools that cannot serve it are left out."""
    reads = tuple(
        _V4.quoteExactOutputSingle.read(at.quoter, _asked(request, route), gas=QUOTE_GAS) for request, route in requests
    )

    def decode(answers: Sequence[Answer]) -> tuple[Quote, ...]:
        quotes = []
        for (request, route), answer in zip(requests, answers, strict=True):
            figures = _V4.quoteExactOutputSingle.decode_or_none(answer)
            if figures and figures[0]:
                quotes.append(
                    Quote(route, Amount(figures[0]), request.bought, figures[1], in_bundle=at.permit2 is None)
                )
        return tuple(quotes)

    return Probe(reads, decode)


def _asked(request: QuoteRequest, route: Route) -> tuple[object, ...]:
    key = key_of(request.sell, request.buy, route.fees[0])
    return key, request.sell == key[0], request.bought, b""


def encode_sale(at: V4Deployment, route: Route, least: int, recipient: Address, deadline: int) -> Call:
    """Return the sale of all that the router holds, void after ``deadline``. Raises ValueError for several pools."""
    if len(route.fees) != 1:
        raise ValueError("a sale within a bundle goes through one pool")
    sold, bought = route.tokens
    key = key_of(sold, bought, route.fees[0])
    steps = [
        encode(["address", "uint256", "bool"], [sold, ALL_IT_HOLDS, False]),
        encode(SWAP, [(key, sold == key[0], ALL_OF_IT, least, b"")]),
        encode(["address", "address", "uint256"], [bought, recipient, ALL_OF_IT]),
    ]
    swap = encode(["bytes", "bytes[]"], [bytes((SETTLE, SWAP_EXACT_IN_SINGLE, TAKE)), steps])
    return Call(at.router, _V4.execute.encode(V4_SWAP, [swap], deadline), Wei(0), "sell what the router holds")
