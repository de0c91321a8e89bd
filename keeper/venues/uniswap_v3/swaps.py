"""What a swap of exact output costs now, and the call that makes it."""

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
