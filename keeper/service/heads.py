"""Heads in, the latest wins: as nodes push them, and asked for where none does or all are silent."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from keeper.chain.errors import NodeError, WrongChainError
from keeper.core.snapshot import BlockRef
from keeper.journal import JournalError
from keeper.service.opened import Opened
from keeper.settings import Settings
from keeper.venues.ports import ReadFailedError

BACKOFF_MOST_S = 30.0
SOON_S, MOST_SOON_S = 300.0, 3.0
"""In the first minutes without a node it is asked at least so often: one that comes and goes is met on its way."""


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
    """The heads of one chain. ``meet`` settles what was left in flight, when the node is met; ``fail`` is called.

    ``waits`` is called whenever there is no new head, with or without a node that answers.
    ``between`` is awaited between any two blocks, and says whether the newest is to be judged anew.
    """

    def __init__(
        self,
        engine: Opened,
        settings: Settings,
        meet: Callable[[], Awaitable[None]],
        fail: Callable[[Exception], None],
        between: Callable[[], Awaitable[bool]],
        waits: Callable[[], None],
    ) -> None:
        self._engine = engine
        self.settings = settings
        self._between = between
        self._waits = waits
        self._meet = meet
        self._fail = fail
        self._stop = asyncio.Event()
        self._roused = asyncio.Event()
        self._news = asyncio.Event()
        """Set when a node pushed a head, or may have missed one."""
        self._unjudged = False
        """Whether the head that was yielded last is still to be judged."""
        self._tries = 0
        self._is_met = self._was_met = False
        self._away = Away()
        self._since = time.monotonic()

    def stop(self) -> None:
        """End with the head that is being worked on."""
        self._stop.set()
        self.rouse()

    def rouse(self) -> None:
        """Come between two blocks soon, whether or not there is a new one."""
        self._roused.set()
        self._news.set()

    async def heads(self) -> AsyncIterator[BlockRef]:
        """Yield each new head, the latest only: blocks that went by during a cycle are not made up for.

        One that could not be judged (``again``) is yielded anew, unless a newer one is there.

        Whenever the node is met, at the start or after it was away, its chain is checked and what was left in
        flight is settled before anything new is decided. Raises WrongChainError at the first meeting; later on that
        is an outage.
        """
        blocks, last = self._engine.reader.blocks, ""
        blocks.follow(self._news.set, self._patience_s)
        while not self._stop.is_set():
            self._news.clear()
            self._roused.clear()
            self._unjudged |= await self._between()
            head = await self._newest()
            if head is None:
                continue
            if head.hash == last and not self._unjudged:
                self._complain_if_stuck(head)
                self._waits()
                await self._await_news(self._patience_s if blocks.are_told else self.settings.daemon.poll_s)
                continue
            if head.hash != last:
                last, self._since, self._tries = head.hash, time.monotonic(), 0
            self._unjudged = False
            yield head
            if self._unjudged:
                await self._await_news(self._pause_s(self._tries - 1))
            elif self.settings.daemon.interval_s:
                await self._sleep(self.settings.daemon.interval_s)

    def again(self) -> None:
        """Have the head that was yielded last, and could not be judged, once more; the pause before grows each time."""
        self._unjudged = True
        self._tries += 1

    async def _newest(self) -> BlockRef | None:
        """Return the newest head; None after a pause where there is none. Raises WrongChainError at the first meeting.

        Whom to ask about anything else is known by the heads: after an outage they are asked for first.
        """
        blocks = self._engine.reader.blocks
        try:
            if not self._is_met:
                if self._was_met:
                    await blocks.head()
                await blocks.check_chain()
                self._was_met = True
                await self._meet()
            head = await blocks.head()
        except NodeError as error:
            if isinstance(error, WrongChainError) and not self._was_met:
                raise
            self._is_met = False
            self._engine.observer.node_away(str(error), self._away.once_more())
            self._waits()
            await self._await_news(self._pause_s(self._away.times))
            return None
        except (JournalError, ReadFailedError) as error:
            self._is_met = False
            self._fail(error)
            self._waits()
            await self._sleep(max(1.0, self.settings.daemon.poll_s))
            return None
        if not self._is_met:
            self._met(head, self._away)
            self._is_met, self._away = True, Away()
        return head

    def _pause_s(self, times: int) -> float:
        """Return how long to wait after so many failures: longer each time, at most about a block.

        Never twice the same: a node that goes and comes in a rhythm would be asked whenever it is away.
        """
        most = min(BACKOFF_MOST_S, max(2.0, self.settings.network.block_time_s))
        if not self._away.since or time.monotonic() - self._away.since < SOON_S:
            most = min(most, MOST_SOON_S)
        spread = 0.5 + random.random() / 2  # noqa: S311 - nothing secret hangs on it
        return min(most, self.settings.daemon.poll_s * 2.0 ** min(times, 10)) * spread

    def _complain_if_stuck(self, head: BlockRef) -> None:
        silent_s = time.monotonic() - self._since
        if silent_s > self._stuck_s:
            self._engine.observer.no_new_block(silent_s, head.number, self._stuck_s)

    @property
    def _patience_s(self) -> float:
        """How long nodes that push their heads may be silent before they are asked."""
        return max(5.0, 3 * self.settings.network.block_time_s)

    @property
    def _stuck_s(self) -> float:
        """How long no new block is still no news."""
        return max(90.0, 10 * self.settings.network.block_time_s)

    def _met(self, head: BlockRef, away: Away) -> None:
        if away.times:
            self._engine.observer.node_back(time.monotonic() - away.since)
        else:
            self._engine.observer.started(self.settings.network.name, list(self._engine.reader.positions), head.number)

    async def _await_news(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._roused.wait(), seconds)
