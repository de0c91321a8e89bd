"""How the prices of what positions hold moved until now: measured from their own oracles' rounds, beside the blocks.

The path of a block never waits for it. What was measured is given for as long as it may be old; after that it is
unknown again, and a rule that rests on it holds and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from keeper.chain.errors import NodeError
from keeper.core.block import BlockRef
from keeper.core.risk.forecast import Forecaster, usual
from keeper.core.risk.market import MOST_S, Market, Source, market
from keeper.core.risk.series import BadHistoryError
from keeper.core.units import HOUR_S, MINUTE_S, Address
from keeper.journal.errors import JournalError
from keeper.snapshot.price_history import PriceHistory
from keeper.venues.ports import PriceFeed, ReadFailedError

ANEW_S = 2 * MINUTE_S
"""How old a measure gets before it is made anew."""
MOST_OLD_S = HOUR_S
"""How old one may be and still count."""
LATE = 5 / 4
"""A feed may be late by so much of its heartbeat before its silence is a gap."""

Warn = Callable[[str, str, str], None]
Calm = Callable[[str, str], None]


class Movements:
    """Measures a chain's prices, one after the other, and keeps the newest."""

    def __init__(
        self,
        history: PriceHistory,
        warn: Warn,
        calm: Calm,
        *,
        waits: bool = False,
        forecast: Forecaster = usual,
        trouble: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._history = history
        self._forecast, self._trouble = forecast, trouble
        """``trouble``: why the forecaster had no answer when it was last asked."""
        self.waits = waits
        """True for who judges one block only: the first measure is waited for."""
        self._warn, self._calm = warn, calm
        self._known: Market | None = None
        self._work: asyncio.Task[None] | None = None

    async def now(self, block: BlockRef, listings: Mapping[Address, PriceFeed]) -> Market | None:
        """Return the newest measure that is not too old; begin another beside the block where it is time."""
        now, known = block.timestamp, self._known
        is_whole = known is not None and listings.keys() <= known.drivers.keys() | _silent(listings)
        is_due = known is None or not is_whole or now - known.at >= ANEW_S
        if is_due and (self._work is None or self._work.done()):
            self._work = asyncio.create_task(self._anew(block, dict(listings)))
            if self.waits and known is None:
                await asyncio.wait([self._work])
        known = self._known
        return known if known is not None and 0 <= now - known.at <= MOST_OLD_S else None

    async def measured(self, block: BlockRef, listings: Mapping[Address, PriceFeed]) -> Market:
        """Return how prices moved up to a block. Raises NodeError, ReadFailedError, JournalError."""
        found = await self.sources(block, listings)
        # fits take a while, and an owner's own forecaster as long as it may: no block waits for that
        return await asyncio.to_thread(market, *found, block.timestamp, self._forecast)

    async def sources(
        self, block: BlockRef, listings: Mapping[Address, PriceFeed]
    ) -> tuple[dict[str, Source], dict[Address, str]]:
        """Return what feeds said, and which asset hangs on which. Raises NodeError, ReadFailedError, JournalError."""
        feeds = {asset: listed.feed for asset, listed in listings.items() if listed.feed is not None}
        quiet = {feed: int(listings[asset].heartbeat_s * LATE) for asset, feed in feeds.items()}
        sources = dict[str, Source]()
        for feed in dict.fromkeys(feeds.values()):
            found = await self._history.of(block, feed, block.timestamp - MOST_S)
            sources[feed] = Source(found, quiet[feed], f"rounds of {feed}")
        return sources, {asset: str(feed) for asset, feed in feeds.items()}

    async def close(self) -> None:
        """Stop what goes on beside the blocks."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])

    async def _anew(self, block: BlockRef, listings: Mapping[Address, PriceFeed]) -> None:
        try:
            self._known = await self.measured(block, listings)
        except (NodeError, ReadFailedError, JournalError, BadHistoryError) as error:
            self._warn("price_history", "The price history could not be read", f"{error}; rules that rest on it hold")
        else:
            self._calm("price_history", "The price history is read again.")
            self._report(self._trouble())

    def _report(self, trouble: str | None) -> None:
        if trouble is None:
            self._calm("forecaster", "Your forecaster answers again.")
        else:
            instead = "the usual forecaster speaks in its place"
            self._warn("forecaster", "Your forecaster has no answer", f"{trouble}; {instead}. See safety.forecaster")


def _silent(listings: Mapping[Address, PriceFeed]) -> set[Address]:
    """Return the assets whose prices no feed gives: nothing is to be measured of them."""
    return {asset for asset, listed in listings.items() if listed.feed is None}
