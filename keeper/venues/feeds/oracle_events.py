"""The oracle's own event: which contract emits it for an asset, and what it says (Chainlink AggregatorInterface)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.core.armed.accrual import Answered
from keeper.core.units import Address
from keeper.venues.codec.abi import address, load
from keeper.venues.codec.hashes import keccak
from keeper.venues.ports import Answer, Probe

_FEED = load("chainlink_feed")
ANSWER_UPDATED = "0x" + keccak(text="AnswerUpdated(int256,uint256,uint256)").hex()
"""``current`` and ``roundId`` are indexed."""
DECIMALS = 8


def aggregators_probe(feeds: Mapping[Address, Sequence[Address]]) -> Probe[dict[Address, list[Address]]]:
    """Return the probe of who emits: aggregator → assets. ``feeds``: assets by the feed that alone is their price.

    Left out is what one event cannot price: a feed of other decimals, or none at all.
    """
    sources = list(feeds)
    reads = [read for x in sources for read in (_FEED.aggregator.read(x), _FEED.decimals.read(x))]

    def decode(answers: Sequence[Answer]) -> dict[Address, list[Address]]:
        found: dict[Address, list[Address]] = {}
        for i, source in enumerate(sources):
            emitter = _FEED.aggregator.decode_or_none(answers[2 * i])
            decimals = _FEED.decimals.decode_or_none(answers[2 * i + 1])
            if emitter and decimals == (DECIMALS,):
                found.setdefault(address(emitter[0]), []).extend(feeds[source])
        return found

    return Probe(tuple(reads), decode)


def decode_answer(topics: Sequence[str], data: bytes) -> Answered:
    """Return what an AnswerUpdated event says. Raises ValueError when it is none."""
    if len(topics) != 3 or topics[0] != ANSWER_UPDATED or len(data) != 32:
        raise ValueError("not AnswerUpdated(int256,uint256,uint256)")
    answer = int.from_bytes(bytes.fromhex(topics[1][2:]), "big", signed=True)
    return Answered(answer, int(topics[2], 16), int.from_bytes(data, "big"))
