"""Prices with their provenance, and the doubts that forbid selling."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.reasons import Reason
from keeper.core.units import BPS, Address, Bps


@dataclass(frozen=True, slots=True)
class OraclePrice:
    """What the protocol's oracle says one whole token costs, in the market's base unit (10^8 a dollar on Aave).

    ``updated_at`` is the underlying feed's last round (unix seconds); None when no feed behind the source tells.
    """

    asset: Address
    symbol: str
    answer: int
    source: Address
    updated_at: int | None
    round_id: int | None
    heartbeat_s: int


@dataclass(frozen=True, slots=True)
class SecondPrice:
    """The same price by an independent source: a Uniswap v3 average with its present spot, or a second feed.

    ``answers`` holds every reading of that source in the market's base unit (average first, then spot).
    """

    asset: Address
    origin: str
    answers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sequencer:
    """An L2 sequencer uptime feed: ``is_up`` and since when (unix seconds)."""

    is_up: bool
    since: int
    grace_s: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """One typed reason not to trust a price, with the figures that raised it."""

    reason: Reason
    detail: str


def price_doubts(price: OraclePrice, second: SecondPrice | None, max_deviation: Bps, now: int) -> tuple[Doubt, ...]:
    """Return what speaks against trading on a price at the block's time ``now``; empty when nothing does.

    A second source that answers nothing usable is a doubt; a source that was never configured (None) is not.
    """
    doubts = []
    if price.answer <= 0:
        return (Doubt(Reason.PRICE_NOT_POSITIVE, f"{price.symbol} answers {price.answer}"),)
    if price.updated_at is None:
        doubts.append(Doubt(Reason.PRICE_AGE_UNKNOWN, f"{price.symbol}: no round behind {price.source}"))
    elif now - price.updated_at > price.heartbeat_s:
        age = now - price.updated_at
        doubts.append(Doubt(Reason.PRICE_STALE, f"{price.symbol} is {age} s old, heartbeat {price.heartbeat_s} s"))
    if second is not None and not any(
        is_within(price.answer, answer, max_deviation) for answer in second.answers if answer > 0
    ):
        readings = " and ".join(str(answer) for answer in second.answers) or "nothing"
        doubts.append(Doubt(Reason.PRICE_DEVIATES, f"{price.symbol} oracle {price.answer}, {second.origin} {readings}"))
    return tuple(doubts)


def sequencer_doubts(sequencer: Sequencer | None, now: int) -> tuple[Doubt, ...]:
    """Return why the L2 may not be traded on: its sequencer is down, or came back less than the grace ago."""
    if sequencer is None:
        return ()
    if not sequencer.is_up:
        return (Doubt(Reason.SEQUENCER_DOWN, f"down since {sequencer.since}"),)
    if now - sequencer.since <= sequencer.grace_s:
        return (Doubt(Reason.SEQUENCER_RESTARTED, f"up for {now - sequencer.since} s, grace {sequencer.grace_s} s"),)
    return ()


def is_within(a: int, b: int, bound: Bps) -> bool:
    """Tell whether two prices differ by at most ``bound`` of the larger."""
    return abs(a - b) * BPS <= max(a, b) * bound
