"""Prices with their provenance, and the doubts that forbid selling."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from keeper.core.reasons import Reason
from keeper.core.units import BPS, Address, Bps, duration, usd_text


@dataclass(frozen=True, slots=True)
class OraclePrice:
    """What the protocol's oracle says one whole token costs, in the market's own money.

    ``updated_at`` is the underlying feed's last round (unix seconds); None when no feed behind the source says.
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
    """The same price by an independent source: a pool's average with its present spot, or a second feed.

    ``answers`` holds every reading of that source in the market's base unit (average first, then spot). ``via`` is
    the asset in terms of which a pool gives it: a wrong price of that one would make this one look wrong.
    """

    asset: Address
    origin: str
    answers: tuple[int, ...]
    via: Address | None = None


@dataclass(frozen=True, slots=True)
class Quoted:
    """A price in 10^-8 dollars, when it was updated where that is known, how old it may get, and who says so."""

    answer: int
    updated_at: int | None
    heartbeat_s: int
    origin: str

    def is_fresh(self, now: int) -> bool:
        """Whether the price is no older than it may get."""
        return self.updated_at is not None and now - self.updated_at <= self.heartbeat_s


def best(quoted: Iterable[Quoted | None], now: int) -> Quoted | None:
    """Return the first price that is fresh, else the first there is."""
    found = [t for t in quoted if t is not None]
    return next((t for t in found if t.is_fresh(now)), found[0] if found else None)


@dataclass(frozen=True, slots=True)
class Backing:
    """What one staked, wrapped or stable asset stands for, by the settings: ``rate`` of ``of`` (an asset, or dollars).

    ``rate`` is a Wad, ``worth`` what that costs in 10^-8 dollars now; zero where one of them could not be read.
    """

    asset: Address
    of: str
    rate: int
    worth: int


@dataclass(frozen=True, slots=True)
class Sequencer:
    """An L2 sequencer uptime feed: ``is_up`` and since when (unix seconds)."""

    is_up: bool
    since: int
    grace_s: int


class Side(Enum):
    """Which trades of an asset a doubt about its price forbids."""

    BOTH = "both"
    SELLING = "selling"
    """Others pay less than the oracle says: a sale there would be a bad one."""
    BUYING = "buying"
    """Others ask more than the oracle says: a sale at the oracle's price or above cannot lose to them."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One typed reason not to trust a price, with the figures that raised it, and the trades it forbids."""

    reason: Reason
    detail: str
    side: Side = Side.BOTH

    def forbids(self, side: Side) -> bool:
        """Return whether the doubt forbids selling, or buying."""
        return self.side in (Side.BOTH, side)


MOST_BEHIND_S, MOST_AHEAD_S = 900, 120
"""How far a newest block's time may be from the machine's clock: chains pause, but make no block ahead of time."""
NO_CLOCK_BEFORE_S = 1_750_000_000
"""June 2025."""


def price_doubts(price: OraclePrice, second: SecondPrice | None, max_deviation: Bps, now: int) -> tuple[Doubt, ...]:
    """Return what speaks against trading on a price at the block's time ``now``; empty when nothing does.

    A second source that answers nothing usable is a doubt; a source that was never configured (None) is not.
    """
    doubts = []
    if price.answer <= 0:
        return (Doubt(Reason.PRICE_NOT_POSITIVE, f"{price.symbol} answers {usd_text(price.answer)}"),)
    if price.updated_at is None:
        doubts.append(Doubt(Reason.PRICE_AGE_UNKNOWN, f"{price.symbol}: no round behind {price.source}"))
    elif now - price.updated_at > price.heartbeat_s:
        age = now - price.updated_at
        limit = f"more than its heartbeat of {duration(price.heartbeat_s)}"
        doubts.append(Doubt(Reason.PRICE_STALE, f"{price.symbol} was updated {duration(age)} ago, {limit}"))
    if second is not None and not any(
        is_within(price.answer, answer, max_deviation) for answer in second.answers if answer > 0
    ):
        readings = " and ".join(usd_text(answer) for answer in second.answers) or "nothing"
        detail = f"{price.symbol}: oracle {usd_text(price.answer)}, {second.origin} {readings}"
        doubts.append(Doubt(Reason.PRICE_DEVIATES, detail, _side(price.answer, second.answers)))
    return tuple(doubts)


def _side(oracle: int, answers: tuple[int, ...]) -> Side:
    """Return which trades a deviation forbids: both where the readings are on either side, or none is usable."""
    usable = [answer for answer in answers if answer > 0]
    if not usable or min(usable) < oracle < max(usable):
        return Side.BOTH
    return Side.BUYING if usable[0] > oracle else Side.SELLING


def each_its_own(
    doubts: Mapping[Address, tuple[Doubt, ...]], seconds: Mapping[Address, SecondPrice], dollars: Collection[Address]
) -> dict[Address, tuple[Doubt, ...]]:
    """Return the doubts by asset without those that are another asset's: a doubt binds the trades of one asset.

    A pool gives one price in terms of another. Where both look wrong by the same pool, one of them is, and a dollar
    at a dollar is the last to be it; where the other looks wrong by a pool of its own as well, it is that one.
    """

    def is_anothers(asset: Address) -> bool:
        via = seconds[asset].via if asset in seconds else None
        if via is None or not any(d.reason is Reason.PRICE_DEVIATES for d in doubts.get(via, ())):
            return False
        back = seconds[via].via if via in seconds else None
        return back != asset or (asset in dollars and via not in dollars)

    own = {
        asset: tuple(d for d in found if d.reason is not Reason.PRICE_DEVIATES or not is_anothers(asset))
        for asset, found in doubts.items()
    }
    return {asset: found for asset, found in own.items() if found}


def sequencer_doubts(sequencer: Sequencer | None, now: int) -> tuple[Doubt, ...]:
    """Return why the L2 may not be traded on: its sequencer is down, or came back less than the grace ago."""
    if sequencer is None:
        return ()
    if not sequencer.is_up:
        return (Doubt(Reason.SEQUENCER_DOWN, f"down for {duration(max(0, now - sequencer.since))}"),)
    if now - sequencer.since <= sequencer.grace_s:
        return (Doubt(Reason.SEQUENCER_RESTARTED, f"up for {now - sequencer.since} s, grace {sequencer.grace_s} s"),)
    return ()


def clock_doubts(block_s: int, clock_s: float | None) -> tuple[Doubt, ...]:
    """Return why a block's time is not to be relied on: how old a price is, and what was spent today, hang on it.

    ``clock_s`` is the machine's clock in seconds since 1970; None where the chain's time is made up.
    """
    behind = 0 if clock_s is None else int(clock_s) - block_s
    if -MOST_AHEAD_S <= behind <= MOST_BEHIND_S:
        return ()
    where = "behind" if behind > 0 else "ahead of"
    return (Doubt(Reason.TIME_DOUBTFUL, f"{duration(abs(behind))} {where} this machine's clock"),)


def earlier(block_s: int, clock_s: float | None) -> int:
    """Return the earlier of a block's time and the machine's, which is None where the chain's time is made up.

    A clock from before this program was written lost its battery: it says nothing.
    """
    return block_s if clock_s is None or clock_s < NO_CLOCK_BEFORE_S else min(block_s, int(clock_s))


def is_within(a: int, b: int, bound: Bps) -> bool:
    """Return whether two prices differ by at most ``bound`` of the larger."""
    return abs(a - b) * BPS <= max(a, b) * bound
