"""The oracle's own event: which contract emits it for an asset, and what it says. And the rates of a reserve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_utils.crypto import keccak

from keeper.core.armed.accrual import Answered, Rates
from keeper.core.units import Address
from keeper.venues.aave_v3.market import Listing, Market
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Answer, Probe, Read

_FEED, _POOL = load("chainlink_feed"), load("aave_v3_pool")
ANSWER_UPDATED = "0x" + keccak(text="AnswerUpdated(int256,uint256,uint256)").hex()
"""Chainlink AggregatorInterface; ``current`` and ``roundId`` are indexed."""
DECIMALS = 8


def aggregators_probe(listings: Sequence[Listing]) -> Probe[dict[Address, list[Address]]]:
    """Return the probe of who emits: aggregator → assets. Left out is what a price cannot be told of by one event.

    That is every asset whose oracle source is not the feed itself (an adapter), or whose feed has other decimals.
    """
    plain = [x for x in listings if x.feed is not None and x.feed == x.source]
    reads = [read for x in plain for read in (_FEED.aggregator.read(x.source), _FEED.decimals.read(x.source))]

    def decode(answers: Sequence[Answer]) -> dict[Address, list[Address]]:
        found: dict[Address, list[Address]] = {}
        for i, listing in enumerate(plain):
            emitter = _FEED.aggregator.decode_or_none(answers[2 * i])
            decimals = _FEED.decimals.decode_or_none(answers[2 * i + 1])
            if emitter and decimals == (DECIMALS,):
                found.setdefault(address(emitter[0]), []).append(listing.asset)
        return found

    return Probe(tuple(reads), decode)


def decode_answer(topics: Sequence[str], data: bytes) -> Answered:
    """Return what an AnswerUpdated event says. Raises ValueError when it is none."""
    if len(topics) != 3 or topics[0] != ANSWER_UPDATED or len(data) != 32:
        raise ValueError("not AnswerUpdated(int256,uint256,uint256)")
    answer = int.from_bytes(bytes.fromhex(topics[1][2:]), "big", signed=True)
    return Answered(answer, int(topics[2], 16), int.from_bytes(data, "big"))


def rates_read(market: Market, asset: Address) -> Read:
    """Return the read of what a reserve earns and costs."""
    return _POOL.getReserveData.read(market.pool, asset)


def rates_in(market: Market, assets: Sequence[Address], answers: Mapping[object, Answer]) -> dict[Address, Rates]:
    """Return the rates of those reserves whose data were read."""
    found = {}
    for asset in assets:
        data = _POOL.getReserveData.decode_or_none(answers.get(rates_read(market, asset)))
        if data is not None:
            _, _, supply, _, debt, *_ = data[0]
            found[asset] = Rates(supply, debt)
    return found
