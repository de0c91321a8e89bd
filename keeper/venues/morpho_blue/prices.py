"""How old the oracle's price is: as old as the oldest feed it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.units import Address
from keeper.venues.codec.abi import load
from keeper.venues.ports import Answer, Read

_FEED = load("chainlink_feed")


@dataclass(frozen=True, slots=True)
class Age:
    """When a price was last given: the oldest of what it is made of, by what is left of its heartbeat."""

    updated_at: int | None
    round_id: int | None
    heartbeat_s: int


def age_reads(feeds: Sequence[Address]) -> tuple[Read, ...]:
    """Return the reads of feeds' latest rounds."""
    return tuple(_FEED.latestRoundData.read(feed) for feed in feeds)


def age_of(answers: Sequence[Answer], heartbeats_s: Sequence[int], usual_s: int) -> Age:
    """Return the age of a price made of several feeds; unknown where one of them does not say, or there are none."""
    rounds = [_FEED.latestRoundData.decode_or_none(answer) for answer in answers]
    ages = [Age(r[3], r[0], beat) for r, beat in zip(rounds, heartbeats_s, strict=True) if r is not None]
    if not ages or len(ages) < len(rounds):
        return Age(None, None, usual_s)
    return min(ages, key=lambda age: (age.updated_at or 0) + age.heartbeat_s)
