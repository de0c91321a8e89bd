"""Time-weighted averages of pools: a price that no single block can move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache

from keeper.core.prices import SecondPrice
from keeper.core.units import Address
from keeper.venues.codec.abi import load
from keeper.venues.ports import Answer, Probe
from keeper.venues.uniswap_v3.pools import Pool

_POOL = load("uniswap_v3_pool")
_TWO_OF_TWO = b"".join(word.to_bytes(32, "big") for word in (64, 160, 2))
"""How the answer of ``observe`` about two times begins: where its two lists are, and how long the first is."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A pool that gives an asset's price in terms of another asset."""

    pool: Pool
    asset: Address
    quote: Address
    asset_decimals: int
    quote_decimals: int

    @property
    def depth(self) -> int:
        """What the pool held of the asset when it was found."""
        return self.pool.holds(self.asset)

    def probe(self, window_s: int) -> Probe[Callable[[int], SecondPrice]]:
        """Return the probe of the average over a time, and of the price now."""
        return average_probe(self, window_s)


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
