"""Heads in, the latest wins: as nodes push them, and asked for where none does or all are silent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from keeper.chain.errors import NodeError, WrongChainError
from keeper.core.positions import BlockRef
from keeper.house import House
from keeper.journal import JournalError
from keeper.settings import Settings
from keeper.venues.ports import ReadFailedError

BACKOFF_MOST_S = 30.0


@dataclass(slots=True)
class Away:
    """How long and how often the node did not answer."""

    since: float = 0.0
    times: int = 0

    def once_more(self) -> int:
        """Count a failure and return how many there were."""
        self.since = self.since or time.monotonic()
        self.times += 1
        return self.times


class Arrivals:
    """The heads of one chain. ``meet`` settles what was left in flight, whenever the node is met; ``fail`` is told."""

    def __init__(
        self,
        house: House,
        settings: Settings,
        meet: Callable[[], Awaitable[None]],
        fail: Callable[[Exception], None],
    ) -> None:
        self._house = house
        self._settings = settings
        self._meet = meet
        self._fail = fail
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        """Set when a node pushed a head, or may have missed one."""

    def stop(self) -> None:
        """End with the head that is being worked on."""
        self._stop.set()
        self._news.set()

    async def heads(self) -> AsyncIterator[BlockRef]:
        """Yield each new head, the latest only: blocks that went by during a cycle are not made up for.

        Whenever the node is met, at the start or after it was away, its chain is checked and what was left in
        flight is settled before anything new is decided. Raises WrongChainError.
        """
        blocks, daemon = self._house.watch.blocks, self._settings.daemon
        blocks.follow(self._news.set, self._patience_s)
        last, is_met, away, since = "", False, Away(), time.monotonic()
        while not self._stop.is_set():
            self._news.clear()
            try:
                if not is_met:
                    await blocks.check_chain()
                    await self._meet()
                head = await blocks.head()
            except WrongChainError:
                raise
            except NodeError as error:
                is_met = False
                self._house.observer.node_away(str(error), away.once_more())
                await self._await_news(min(BACKOFF_MOST_S, daemon.poll_s * 2 ** min(away.times, 10)))
                continue
            except (JournalError, ReadFailedError) as error:
                is_met = False
                self._fail(error)
                await self._sleep(max(1.0, daemon.poll_s))
                continue
            if not is_met:
                self._met(head, away)
                is_met, away = True, Away()
            if head.hash == last:
                if time.monotonic() - since > self._stuck_s:
                    self._house.observer.no_new_block(time.monotonic() - since, head.number)
                await self._await_news(self._patience_s if blocks.are_told else daemon.poll_s)
                continue
            last, since = head.hash, time.monotonic()
            yield head
            if daemon.interval_s:
                await self._sleep(daemon.interval_s)

    @property
    def _patience_s(self) -> float:
        """How long nodes that push their heads may be silent before they are asked."""
        return max(5.0, 3 * self._settings.network.block_time_s)

    @property
    def _stuck_s(self) -> float:
        """How long no new block is still nothing to tell of."""
        return max(90.0, 10 * self._settings.network.block_time_s)

    def _met(self, head: BlockRef, away: Away) -> None:
        if away.times:
            self._house.observer.node_back(time.monotonic() - away.since)
        else:
            self._house.observer.started(self._settings.network.name, list(self._house.watch.positions), head.number)

    async def _await_news(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
