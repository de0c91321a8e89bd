"""What a swap of exact output costs now, the call that makes it, and the sale of what was sent to the router before."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.lending.moves import Route, Swap
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.units import Address, Amount, Wei
from keeper.venues.codec.abi import load
from keeper.venues.ports import Answer, Call, Probe
from keeper.venues.uniswap_v3.pools import UniswapDeployment

_QUOTER = load("uniswap_v3_quoter_v2")
_ROUTER = load("uniswap_v3_swap_router_02")
QUOTE_GAS = 400_000
"""What a quote takes, roughly: the swap is really made, and undone."""
ALL_IT_HOLDS, NO_LIMIT = 0, 0
"""The router's own words: its whole balance, and no bound on the pool's price."""


def quote_probe(
    deployment: UniswapDeployment, requests: Sequence[tuple[QuoteRequest, Route]]
) -> Probe[tuple[Quote, ...]]:
    """Return the probe of what each request costs by its route; routes that cannot serve it are left out."""
    reads = tuple(
        _QUOTER.quoteExactOutput.read(deployment.quoter, path_of(route), request.bought, gas=QUOTE_GAS)
        for request, route in requests
    )

    def decode(answers: Sequence[Answer]) -> tuple[Quote, ...]:
        quotes = []
        for (request, route), answer in zip(requests, answers, strict=True):
            figures = _QUOTER.quoteExactOutput.decode_or_none(answer)
            if figures and figures[0]:
                quotes.append(Quote(route, Amount(figures[0]), request.bought, figures[3]))
        return tuple(quotes)

    return Probe(reads, decode)


def path_of(route: Route) -> bytes:
    """Return the path of an exact-output swap: bought asset first, fees of three bytes between."""
    parts = [bytes.fromhex(route.tokens[-1][2:])]
    for token, fee in zip(reversed(route.tokens[:-1]), reversed(route.fees), strict=True):
        parts += [fee.to_bytes(3, "big"), bytes.fromhex(token[2:])]
    return b"".join(parts)


def encode_swap(
    deployment: UniswapDeployment, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]
) -> Call:
    """Return the swap of exact output, void after ``deadline`` (unix seconds)."""
    inner = _ROUTER.exactOutput.encode((path_of(swap.route), recipient, swap.bought, swap.sold))
    data = _ROUTER.multicall.encode(deadline, [inner])
    return Call(deployment.router, data, Wei(0), f"swap {symbols[0]} for {symbols[1]}")


def encode_sale(deployment: UniswapDeployment, route: Route, least: int, recipient: Address, deadline: int) -> Call:
    """Return the sale of everything that the router holds, void after ``deadline``: nothing stays behind.

    The asset has to be sent to the router by an earlier call of the same transaction (amountIn 0 is its balance).
    """
    first, last = route.tokens[0], route.tokens[-1]
    if len(route.fees) == 1:
        inner = _ROUTER.exactInputSingle.encode((first, last, route.fees[0], recipient, ALL_IT_HOLDS, least, NO_LIMIT))
    else:
        inner = _ROUTER.exactInput.encode((_forward(route), recipient, ALL_IT_HOLDS, least))
    return Call(deployment.router, _ROUTER.multicall.encode(deadline, [inner]), Wei(0), "sell what the router holds")


def _forward(route: Route) -> bytes:
    """Return the path of an exact-input swap: sold asset first."""
    parts = [bytes.fromhex(route.tokens[0][2:])]
    for token, fee in zip(route.tokens[1:], route.fees, strict=True):
        parts += [fee.to_bytes(3, "big"), bytes.fromhex(token[2:])]
    return b"".join(parts)
