"""Uniswap v3: pools between assets, quotes and swaps of exact output, time-weighted averages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache
from itertools import combinations

from keeper.core.lending.moves import Route, Swap
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.prices import SecondPrice
from keeper.core.units import Address, Amount, Wei
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Answer, Call, Discovery, Probe, Read

_FACTORY = load("uniswap_v3_factory")
_POOL = load("uniswap_v3_pool")
_QUOTER = load("uniswap_v3_quoter_v2")
_ROUTER = load("uniswap_v3_swap_router_02")
_ERC20 = load("erc20")
_TWO_OF_TWO = b"".join(word.to_bytes(32, "big") for word in (64, 160, 2))
"""How the answer of ``observe`` about two times begins: where its two lists are, and how long the first is."""
WORD = 32
FEE_TO_ASK_WITH = 3000
_FACTORY_OF = bytes.fromhex("c45a0155")
"""The selector of factory(), which every contract of Uniswap's periphery answers."""
QUOTE_GAS = 400_000
"""What a quote takes, roughly: the swap is really made, and undone."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where Uniswap v3 lives on a chain."""

    factory: Address
    quoter: Address
    router: Address
    fee_tiers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool. ``depth`` is what it held of ``token0`` and ``token1`` when it was found, in smallest units."""

    address: Address
    token0: Address
    token1: Address
    fee: int
    depth: tuple[int, int]
    has_history: bool
    """Whether it can answer a time-weighted average."""

    def holds(self, asset: Address) -> int:
        """Return the depth on an asset's side, zero when the pool is not of it."""
        return {self.token0: self.depth[0], self.token1: self.depth[1]}.get(asset, 0)

    def other(self, asset: Address) -> Address:
        """Return the asset on the other side."""
        return self.token1 if asset == self.token0 else self.token0


def discover_faults(deployment: Deployment) -> Discovery[tuple[str, ...]]:
    """Find which of the addresses are not what they are said to be: quoter and router name their factory."""
    named = {"quoter_v2": deployment.quoter, "swap_router_02": deployment.router}
    a, b = sorted((deployment.quoter, deployment.router), key=lambda at: int(at, 16))
    pool, *owners = yield (
        _FACTORY.getPool.read(deployment.factory, a, b, FEE_TO_ASK_WITH),
        *(Read(at, _FACTORY_OF) for at in named.values()),
    )
    faults = (
        [] if pool is not None and len(pool) == WORD else [f"factory {deployment.factory} is no Uniswap v3 factory"]
    )
    for (key, at), owner in zip(named.items(), owners, strict=True):
        said = address(owner[-20:]) if owner is not None and len(owner) == WORD else None
        if said is None:
            faults.append(f"{key} {at} does not answer as one")
        elif said != deployment.factory and not faults:
            faults.append(f"{key} {at} belongs to another factory, {said}")
    return tuple(faults)


def discover_pools(deployment: Deployment, assets: Sequence[Address], window_s: int) -> Discovery[tuple[Pool, ...]]:
    """Find every pool between the assets, with its depth and whether it remembers ``window_s``."""
    pairs = [_in_order(a, b) for a, b in combinations(dict.fromkeys(assets), 2)]
    keys = [(a, b, fee) for a, b in pairs for fee in deployment.fee_tiers]
    answers = yield tuple(_FACTORY.getPool.read(deployment.factory, *key) for key in keys)
    places = [(key, address(_FACTORY.getPool.decode(a)[0])) for key, a in zip(keys, answers, strict=True)]
    there = [(key, at) for key, at in places if int(at, 16)]
    answers = yield tuple(
        read
        for (a, b, _), at in there
        for read in (_ERC20.balanceOf.read(a, at), _ERC20.balanceOf.read(b, at), _POOL.observe.read(at, [window_s, 0]))
    )
    pools = []
    for i, ((a, b, fee), at) in enumerate(there):
        depth0, depth1, history = answers[3 * i : 3 * i + 3]
        depths = (_ERC20.balanceOf.decode(depth0)[0], _ERC20.balanceOf.decode(depth1)[0])
        if all(depths):
            pools.append(Pool(at, a, b, fee, depths, history is not None))
    return tuple(pools)


def routes(pools: Sequence[Pool], sell: Address, buy: Address, hubs: Sequence[Address]) -> tuple[Route, ...]:
    """Return the ways from one asset to another: every direct pool, and through each hub the deepest pools."""
    found = [Route((sell, buy), (p.fee,)) for p in pools if {p.token0, p.token1} == {sell, buy}]
    for hub in hubs:
        if hub not in (sell, buy):
            first, second = (_deepest(pools, hub, x) for x in (sell, buy))
            found += [Route((sell, hub, buy), (a.fee, b.fee)) for a in first for b in second]
    return tuple(found)


def quote_probe(deployment: Deployment, requests: Sequence[tuple[QuoteRequest, Route]]) -> Probe[tuple[Quote, ...]]:
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
    deployment: Deployment, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]
) -> Call:
    """Return the swap of exact output, void after ``deadline`` (unix seconds)."""
    inner = _ROUTER.exactOutput.encode((path_of(swap.route), recipient, swap.bought, swap.sold))
    data = _ROUTER.multicall.encode(deadline, [inner])
    return Call(deployment.router, data, Wei(0), f"swap {symbols[0]} for {symbols[1]}")


def swaps_in(calldata: bytes) -> bool:
    """Return whether calldata holds such a swap, alone or inside a batch."""
    return _ROUTER.exactOutput.selector in calldata


# --- averages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """A pool that gives an asset's price in terms of another asset."""

    pool: Pool
    asset: Address
    quote: Address
    asset_decimals: int
    quote_decimals: int


def reference_for(
    asset: Address, others: Sequence[Address], pools: Sequence[Pool], decimals: Callable[[Address], int]
) -> Reference | None:
    """Return the deepest pool with history between an asset and any of ``others``; None when there is none."""
    fit = [p for p in pools if p.has_history and p.holds(asset) and p.other(asset) in others]
    best = max(fit, key=lambda p: p.holds(asset), default=None)
    if best is None:
        return None
    quote = best.other(asset)
    return Reference(best, asset, quote, decimals(asset), decimals(quote))


def average_probe(reference: Reference, window_s: int) -> Probe[Callable[[int], SecondPrice]]:
    """Return the probe of a pool's average over ``window_s`` and its spot.

    It decodes to a function of the quote asset's price in base units, which gives the asset's. A pool that does
    not answer gives a price without readings: a doubt.
    """
    reads = (_POOL.observe.read(reference.pool.address, [window_s, 0]), _POOL.slot0.read(reference.pool.address))

    def decode(answers: Sequence[Answer]) -> Callable[[int], SecondPrice]:
        observed, slot = _observed(answers[0]), _POOL.slot0.decode_or_none(answers[1])
        ticks = []
        if observed and slot:
            ticks = [(observed[1] - observed[0]) // window_s, slot[1]]

        def priced(quote_price: int) -> SecondPrice:
            readings = tuple(int(_price(tick, reference) * quote_price) for tick in ticks)
            return SecondPrice(reference.asset, "Uniswap v3 average and spot", readings, reference.quote)

        return priced

    return Probe(reads, decode)


def _observed(answer: Answer) -> tuple[int, int] | None:
    """Return the two tick cumulatives that were asked for, None when the pool does not answer."""
    if answer is not None and len(answer) == 8 * 32 and answer[:96] == _TWO_OF_TWO:
        first, second = (int.from_bytes(answer[i : i + 32], "big", signed=True) for i in (96, 128))
        if max(abs(first), abs(second)) < 1 << 55:
            return first, second
    found = _POOL.observe.decode_or_none(answer)
    return (found[0][0], found[0][1]) if found else None


@lru_cache(maxsize=4096)
def _price(tick: int, reference: Reference) -> Decimal:
    """Return whole quote tokens per whole asset at a tick: 1.0001^tick is raw token1 per raw token0."""
    with localcontext() as context:
        context.prec = 40
        raw = Decimal("1.0001") ** tick
        if reference.pool.token0 != reference.asset:
            raw = 1 / raw
        return raw.scaleb(reference.asset_decimals - reference.quote_decimals)


def _deepest(pools: Sequence[Pool], hub: Address, asset: Address) -> tuple[Pool, ...]:
    """Return the two deepest pools between an asset and the hub."""
    fit = sorted((p for p in pools if {p.token0, p.token1} == {hub, asset}), key=lambda p: p.holds(hub), reverse=True)
    return tuple(fit[:2])


def _in_order(a: Address, b: Address) -> tuple[Address, Address]:
    return (a, b) if int(a, 16) < int(b, 16) else (b, a)
