"""What is seen is handed on after each block: to a page beside the daemon at once, into the journal now and then.

Nobody waits for either. Another process shows what the journal has: the newest view, and how each figure went.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

import orjson

from keeper.core.decide import Hold
from keeper.engine.report import Data
from keeper.engine.result import Result
from keeper.journal import JournalError
from keeper.journal.views import scope_of
from keeper.service.opened import Opened
from keeper.service.view import figures, nodes, view_of

EVERY_S = 10.0
"""How often a view is written down; a large one more rarely, so that no disk is filled with words."""
A_SECOND_PER, MOST_S = 1000, 60.0
"""So many bytes of a view cost a second more, up to a minute: who looks on must not take it for silence."""
SAMPLE_S = 60.0
"""How often a figure is kept; with every view while one of them moves."""
MOVED = 100
"""A figure that moved by more than one part in so many since it was kept is kept anew: a crash is drawn in full."""

Shown = Callable[[Data], None]


class Diary:
    """Keeps the journal's view of one engine up to date."""

    def __init__(self, engine: Opened, show: Shown | None = None, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._show = show
        self._clock = clock
        network = engine.reader.network
        self._scope = scope_of(network.chain_id, network.name, engine.terms.mode)
        self._next_view, self._next_sample = 0.0, 0.0
        self._kept = dict[str, int]()
        self._judged_at: int | None = None
        """When a block was last judged to its end, in seconds since 1970."""
        self._every_s = EVERY_S
        self._shown: Data | None = None
        """The newest view, which is what is known still while there is no new block."""
        self._work: asyncio.Task[None] | None = None

    def saw(self, results: Sequence[Result], *, is_judged: bool = True) -> None:
        """A block was judged, or failed to be: show it, and begin to write it down where it is time."""
        now, snapshot = self._clock(), self._engine.state.seen
        self._judged_at = int(now) if is_judged else self._judged_at
        does = any(not isinstance(result.decision, Hold) for result in results)
        was_blind = self._shown is not None and self._shown["blind"] is not None
        is_due = now >= self._next_view or does or was_blind or self._next_view - now > 3600  # a clock put back
        is_free = self._work is None or self._work.done()
        if snapshot is None or not (self._show or (is_due and is_free)):
            return
        try:
            view = view_of(self._engine, snapshot, results) | self._stands(now)
        except Exception as error:  # noqa: BLE001 - a defect in what is only looked at must not end the watch
            self._engine.observer.raise_alarm(
                "view", "What is seen cannot be shown", f"{type(error).__name__}: {error}"
            )
            return
        self._shown = view
        if is_due and is_free:
            view["every_s"] = self._every_s = max(EVERY_S, min(MOST_S, len(orjson.dumps(view)) / A_SECOND_PER))
        if self._show:
            self._show(view)
        if is_due and is_free:
            self._next_view = now + self._every_s
            self._work = asyncio.create_task(self._write(view, int(now), self._sampled(now, results)))

    def waits(self) -> None:
        """There is no new block: say so at once where the keeper became blind, else now and then that it is there."""
        now, before = self._clock(), self._shown
        if before is None:
            return
        stands = self._stands(now) | {"nodes": [asdict(node) for node in nodes(self._engine)]}
        is_news = any(stands[key] != before.get(key) for key in ("blind", "judged_at"))
        if not is_news and 0 <= now - before["at"] < EVERY_S:
            return
        self._shown = before | stands
        if self._show:
            self._show(self._shown)
        self._next_view = now if is_news else self._next_view
        if now >= self._next_view and (self._work is None or self._work.done()):
            self._next_view = now + self._every_s
            self._work = asyncio.create_task(self._write(self._shown, int(now), {}))

    def _stands(self, now: float) -> Data:
        """Return how the keeper stands, whatever its positions do; ``every_s``: how soon more is heard of it."""
        blind = self._engine.observer.blind
        return {
            "at": int(now),
            "judged_at": self._judged_at,
            "every_s": self._every_s,
            "blind": asdict(blind) if blind else None,
            "alarms": self._engine.observer.alarms[-10:],
        }

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._work is not None:
            await asyncio.wait([self._work])

    def _sampled(self, now: float, results: Sequence[Result]) -> dict[str, int]:
        values = figures(results)
        moved = any(abs(v - self._kept.get(n, v)) * MOVED > abs(self._kept.get(n, v)) for n, v in values.items())
        if not moved and now < self._next_sample <= now + SAMPLE_S:
            return {}
        self._next_sample, self._kept = now + SAMPLE_S, values
        return values

    async def _write(self, view: Data, at: int, values: dict[str, int]) -> None:
        with contextlib.suppress(JournalError):  # reported where it matters; the next view says all that this one does
            await self._engine.journal.views.write(self._scope, view, at, values)
