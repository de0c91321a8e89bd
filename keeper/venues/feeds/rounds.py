"""Chainlink-shaped feeds: when an answer was given, second opinions, and the L2 sequencer's uptime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.prices import SecondPrice, Sequencer
from keeper.core.units import USD, Address
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Answer, Discovery, Probe

_FEED = load("chainlink_feed")
_UNDERLYING = (
    _FEED.BASE_TO_USD_AGGREGATOR,
    _FEED.ASSET_TO_USD_AGGREGATOR,
    _FEED.BASE_TO_PEG,
    _FEED.ASSET_TO_PEG,
    _FEED.PEG_TO_BASE,
    _FEED.ETH_TO_BASE,
)
_DEPTH = 3
"""Adapters upon adapters that are followed to the feed that knows its age."""


@dataclass(frozen=True, slots=True)
class Round:
    """A feed's latest round; ``answer`` has the feed's own decimals."""

    round_id: int
    answer: int
    updated_at: int


def discover_feeds(sources: Sequence[Address]) -> Discovery[dict[Address, Address]]:
    """Find, for each oracle source, the feed that gives its age: itself, or the one behind an adapter.

    Aave's price adapters have no rounds of their own but name the feed they stand on. A source without any is
    left out: its age is unknown.
    """
    found: dict[Address, Address] = {}
    looking = {source: source for source in sources}
    for _ in range(_DEPTH):
        if not looking:
            break
        probes = (_FEED.latestRoundData, *_UNDERLYING)
        answers = yield tuple(f.read(at) for at in looking.values() for f in probes)
        following: dict[Address, Address] = {}
        for i, (source, at) in enumerate(looking.items()):
            mine = answers[i * len(probes) : (i + 1) * len(probes)]
            if _FEED.latestRoundData.decode_or_none(mine[0]):
                found[source] = at
                continue
            behind = [f.decode_or_none(a) for f, a in zip(_UNDERLYING, mine[1:], strict=True)]
            named = [address(b[0]) for b in behind if b]
            if named:
                following[source] = named[0]
        looking = following
    return found


def round_probe(feed: Address) -> Probe[Round | None]:
    """Return the probe of a feed's latest round; None when it does not answer."""

    def decode(answers: Sequence[Answer]) -> Round | None:
        answer = _FEED.latestRoundData.decode_or_none(answers[0])
        return None if answer is None else Round(answer[0], answer[1], answer[3])

    return Probe((_FEED.latestRoundData.read(feed),), decode)


@dataclass(frozen=True, slots=True)
class Latest:
    """A feed's latest answer in 10^-8 dollars, and when it was given."""

    answer: int
    updated_at: int


def latest_probe(feed: Address) -> Probe[Latest | None]:
    """Return the probe of a feed's answer in 10^-8 dollars; None when it gives none, or one that is no price."""

    def decode(answers: Sequence[Answer]) -> Latest | None:
        latest, decimals = _FEED.latestRoundData.decode_or_none(answers[0]), _FEED.decimals.decode_or_none(answers[1])
        if not latest or not decimals or latest[1] <= 0:
            return None
        return Latest(latest[1] * USD // 10 ** decimals[0], latest[3])

    return Probe((_FEED.latestRoundData.read(feed), _FEED.decimals.read(feed)), decode)


def second_feed_probe(asset: Address, feed: Address) -> Probe[SecondPrice]:
    """Return the probe of a second feed's answer, scaled to 8 decimals; it answers nothing when it fails."""
    reads = (_FEED.latestRoundData.read(feed), _FEED.decimals.read(feed))

    def decode(answers: Sequence[Answer]) -> SecondPrice:
        latest, decimals = _FEED.latestRoundData.decode_or_none(answers[0]), _FEED.decimals.decode_or_none(answers[1])
        readings = (latest[1] * USD // 10 ** decimals[0],) if latest and decimals else ()
        return SecondPrice(asset, "second feed", readings)

    return Probe(reads, decode)


def sequencer_probe(feed: Address, grace_s: int) -> Probe[Sequencer]:
    """Return the probe of an L2 sequencer uptime feed (answer 0 is up, 1 is down). A silent feed counts as down."""

    def decode(answers: Sequence[Answer]) -> Sequencer:
        answer = _FEED.latestRoundData.decode_or_none(answers[0])
        if answer is None:
            return Sequencer(is_up=False, since=0, grace_s=grace_s)
        _, status, since, _, _ = answer
        return Sequencer(is_up=status == 0 and since > 0, since=since, grace_s=grace_s)

    return Probe((_FEED.latestRoundData.read(feed),), decode)
