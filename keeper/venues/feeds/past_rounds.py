"""What a Chainlink-shaped feed said before: its rounds, walked back from the newest in batches.

A proxy's round id is ``phase << 64 | round of the aggregator``; a phase is an aggregator, and before its first round
come those of the phase before (AggregatorProxy: ``phaseAggregators``). A feed that counts from one has no phases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.core.units import USD, Address
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Answer, Discovery

_FEED = load("chainlink_feed")
_PHASE_BITS = 64
_IN_PHASE = (1 << _PHASE_BITS) - 1
FIRST, MOST_AT_ONCE = 4, 240
"""Rounds of the first read, and of any: the first is small, for after a minute there is one new round or none."""
MOST = 40_000
"""Rounds that one walk finds at most."""


@dataclass(frozen=True, slots=True)
class PastRound:
    """A round: what one whole token costs (10^-8 dollars) from ``updated_at`` on."""

    updated_at: int
    round_id: int
    answer: int


def newest(feed: Address) -> Discovery[PastRound | None]:
    """Find a feed's newest round with a price; None where it gives none."""
    answers = yield (_FEED.latestRoundData.read(feed), _FEED.decimals.read(feed))
    decimals = _FEED.decimals.decode_or_none(answers[1])
    return _scaled(answers[0], decimals[0]) if decimals else None


def walk_back(
    feed: Address, begin: PastRound, since: int, kept: Mapping[int, PastRound]
) -> Discovery[tuple[PastRound, ...]]:
    """Find the rounds before one, the newest first: until one is kept and the same, or was there before ``since``.

    That round is the last one returned. Rounds that were never finished are left out, and such as are no older than one
    that came after them: the aggregator of a phase speaks before its proxy listens.
    """
    answers = yield (_FEED.decimals.read(feed),)
    (decimals,) = _FEED.decimals.decode(answers[0])
    found, last, size = list[PastRound](), begin, FIRST
    at: int | None = begin.round_id
    while at is not None and len(found) < MOST:
        ids = range(at - 1, max(at & ~_IN_PHASE, at - 1 - size), -1)
        answers = yield tuple(_FEED.getRoundData.read(feed, i) for i in ids)
        rounds = [r for a in answers if (r := _scaled(a, decimals)) is not None]
        for one in rounds:
            if one.updated_at >= last.updated_at:
                continue
            found.append(one)
            last = one
            if one.updated_at < since or kept.get(one.round_id) == one:
                return tuple(found)
        is_whole = len(ids) == size and bool(rounds)
        at = ids[-1] if is_whole else (yield from _before_phase(feed, at >> _PHASE_BITS))
        size = min(MOST_AT_ONCE, size * 4)
    return tuple(found)


def _before_phase(feed: Address, phase: int) -> Discovery[int | None]:
    """Find the id after the newest round of the phase before; None where there is none."""
    if phase <= 1:
        return None
    answers = yield (_FEED.phaseAggregators.read(feed, phase - 1),)
    named = _FEED.phaseAggregators.decode_or_none(answers[0])
    if not named or not int(named[0], 16):
        return None
    answers = yield (_FEED.latestRound.read(address(named[0])),)
    newest_of = _FEED.latestRound.decode_or_none(answers[0])
    return ((phase - 1) << _PHASE_BITS | newest_of[0]) + 1 if newest_of and newest_of[0] else None


def _scaled(answer: Answer, decimals: int) -> PastRound | None:
    """Return a round in 10^-8 dollars; None for one that was never finished, or has no price."""
    read = _FEED.getRoundData.decode_or_none(answer)
    if read is None or read[1] <= 0 or read[3] <= 0 or decimals > 77:
        return None
    price = read[1] * USD // 10**decimals
    return PastRound(read[3], read[0], price) if price else None
