"""Opening the journal: connect, bring the schema up to date, hand out the repositories."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from keeper.journal.bursts import Bursts
from keeper.journal.decisions import Decisions
from keeper.journal.errors import SchemaTooOldError
from keeper.journal.facts import Facts
from keeper.journal.migrate import Tables, bring_up_to_date, standing
from keeper.journal.prices import Prices
from keeper.journal.private import begun_private
from keeper.journal.store import Store, connect
from keeper.journal.transactions import Transactions
from keeper.journal.views import Views

PATIENCE_S = 5


def wall_clock() -> int:
    """Whole seconds since 1970."""
    return int(time.time())


@dataclass(frozen=True, slots=True)
class Journal:
    """One open journal, grouped by what is remembered."""

    store: Store
    decisions: Decisions
    transactions: Transactions
    bursts: Bursts
    facts: Facts
    prices: Prices
    views: Views
    exposed: tuple[str, ...] = ()
    """What others could do with the journal's files before it was opened, in words."""

    @property
    def tally(self) -> int:
        """How often this process wrote or began to: what was read from the journal holds while it stands still."""
        return self.store.tally.count

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of every connection; the journal cannot be used afterwards."""
        await self.store.close()


async def open_journal(address: str, *, clock: Callable[[], int] = wall_clock, patience_s: int = PATIENCE_S) -> Journal:
    """Open ``postgresql://…``, ``sqlite:///file`` or a file path, creating and migrating as needed.

    ``patience_s`` is how long a use waits for another program's lock. Raises JournalError, SchemaTooNewError.
    """
    store = connect(address, clock, patience_s)
    exposed = begun_private(Path(store.engine.url.database or "")) if store.is_file else ()
    try:
        await bring_up_to_date(store)
    except BaseException:
        await store.close()
        raise
    return _journal(store, exposed)


async def open_as_it_is(
    address: str, *, clock: Callable[[], int] = wall_clock, patience_s: int = PATIENCE_S
) -> Journal | None:
    """Open a journal for who only looks on: neither made nor migrated. None where there is none yet.

    Raises JournalError, SchemaTooNewError, SchemaTooOldError.
    """
    store = connect(address, clock, patience_s)
    if store.is_file and not _is_there(store):
        await store.close()
        return None
    try:
        async with store.reading("be opened") as connection:
            stands = await connection.do(standing)
    except BaseException:
        await store.close()
        raise
    if stands is Tables.CURRENT:
        return _journal(store, ())
    await store.close()
    if stands is Tables.OLD:
        raise SchemaTooOldError
    return None


def _is_there(store: Store) -> bool:
    return Path(store.engine.url.database or "").exists()


def _journal(store: Store, exposed: tuple[str, ...]) -> Journal:
    transactions = Transactions(store)
    decisions, bursts, facts = Decisions(store), Bursts(transactions), Facts.beside(store)
    return Journal(store, decisions, transactions, bursts, facts, Prices(store), Views.beside(store), exposed)
