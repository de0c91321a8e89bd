"""What is due once in a while and no block waits for: what is known found anew, names looked at, the journal tidied."""

from __future__ import annotations

import contextlib
import gc

from keeper.chain.errors import NodeError, NodesDisagreeError
from keeper.core.snapshot import BlockRef
from keeper.journal import JournalError
from keeper.service import names
from keeper.service.opened import Opened
from keeper.settings import Settings
from keeper.venues.ports import ReadFailedError

DISCOVER_EVERY_S = 1800
NAMES_EVERY_S = 3600
PRUNE_EVERY_S = 6 * 3600
NEW_OBJECTS = 20_000
"""Objects made and not dropped before they are looked through for garbage."""


class Housekeeping:
    """Begun after the first block; what is due is done between blocks."""

    def __init__(self, engine: Opened, settings: Settings) -> None:
        self._engine = engine
        self.settings = settings
        self._has_begun = False
        self._names_due = bool(settings.names)
        self._prune_due = False

    def begin(self, jobs: contextlib.ExitStack) -> None:
        """Begin once, after the first block, which does not wait for it.

        Jobs only set flags: the scheduler cancels coroutines at shutdown, and nothing of ours may be cut short.
        """
        if self._has_begun:
            return
        self._has_begun = True
        from apscheduler.schedulers.asyncio import AsyncIOScheduler  # noqa: PLC0415 - see above

        scheduler = AsyncIOScheduler()
        often = {"trigger": "interval", "coalesce": True, "misfire_grace_time": None}
        scheduler.add_job(self._forget, seconds=DISCOVER_EVERY_S, **often)
        if self.settings.names:
            scheduler.add_job(self._want_names, seconds=NAMES_EVERY_S, **often)
        scheduler.add_job(self._want_prune, seconds=PRUNE_EVERY_S, **often)
        scheduler.start()
        jobs.callback(scheduler.shutdown, wait=False)
        gc.freeze()  # what is there now stays; a block makes and drops some thousand objects, without cycles
        gc.set_threshold(NEW_OBJECTS)

    async def chores(self, head: BlockRef) -> None:
        """Do what is due and no block waits for."""
        if self._names_due:
            await self._look_at_names(head)
        if self._prune_due:
            self._prune_due = False
            await self._prune()

    def _forget(self) -> None:
        self._engine.reader.forget()  # the one there is by then: reloaded settings have another

    def _want_names(self) -> None:
        self._names_due = True

    def _want_prune(self) -> None:
        self._prune_due = True

    async def _look_at_names(self, head: BlockRef) -> None:
        """Alarm when a name of ENS points elsewhere than it did: the keeper goes on with the address it knows."""
        observer = self._engine.observer
        try:
            found = await names.records(self._engine.reader.blocks, head, self.settings)
        except (NodesDisagreeError, ReadFailedError) as error:
            self._names_due = False
            observer.raise_alarm("names", "The names of accounts could not be looked at", str(error))
            return
        except NodeError:
            return  # it is due until it was seen
        self._names_due = False
        observer.clear_alarm("names", "They could be looked at.")
        for record in found:
            key, what = f"name:{record.named.name}", f"{record.named.name} points to another account"
            if record.is_same:
                observer.clear_alarm(key, str(record))
            else:
                observer.raise_alarm(key, what, str(record))

    async def _prune(self) -> None:
        try:
            days = self.settings.daemon.keep_holds_days
            await self._engine.journal.decisions.prune(days)
            await self._engine.journal.views.prune(days)
        except JournalError as error:
            self._engine.observer.raise_alarm("prune", "The journal could not be tidied", str(error))
