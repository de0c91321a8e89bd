"""Small things to remember between cycles and restarts: trailing stops, when an alert was last sent.

No plan's past is read from them, and no nonce: they have a tally of their own, so that writing one down makes nothing
stale that was made ready for the next block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from sqlalchemy import Connection, delete, insert, select, text, update

from keeper.journal.schema import facts
from keeper.journal.store import Store, Tally

Turn = Callable[[dict[str, Any]], Mapping[str, Any]]
"""What becomes of values."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Values by key; a value is anything JSON can hold, amounts as text."""

    store: Store

    @classmethod
    def beside(cls, store: Store) -> Self:
        """Return the repository over the same database, counted apart."""
        return cls(replace(store, tally=Tally()))

    async def get(self, key: str) -> Any | None:
        """The value, or None when there is none. Raises JournalError."""
        async with self.store.reading(f"read the fact {key}") as connection:
            return await connection.scalar(select(facts.c.value).where(facts.c.key == key))

    async def change(self, keys: Sequence[str], turn: Turn) -> dict[str, Any]:
        """Read values and write what ``turn`` makes of them, with nobody else in between; return all as they are then.

        ``turn`` gets a value by key, None where there is none, and returns those to be written: None forgets one. It
        runs in the journal's thread and does nothing else. Raises JournalError.
        """
        now = self.store.clock()

        def work(connection: Connection) -> dict[str, Any]:
            if connection.dialect.name == "postgresql":  # SQLite lets one writer in at a time anyhow
                connection.execute(text(f"LOCK TABLE {facts.name} IN SHARE ROW EXCLUSIVE MODE"))
            there = dict.fromkeys(keys)
            known = connection.execute(select(facts.c.key, facts.c.value).where(facts.c.key.in_(keys)))
            there |= {row.key: row.value for row in known}
            turned = turn(dict(there))
            for key, value in turned.items():
                _put(connection, key, value, now)
            return {**there, **turned}

        return await self.store.at_once(f"change the facts {', '.join(keys)}", work)

    async def set(self, key: str, value: Any) -> None:
        """Remember a value; None forgets it. Raises JournalError."""
        now = self.store.clock()
        await self.store.at_once(f"write the fact {key}", lambda connection: _put(connection, key, value, now))


def _put(connection: Connection, key: str, value: Any, now: int) -> None:
    here = facts.c.key == key
    if value is None:
        connection.execute(delete(facts).where(here))
        return
    row = {"value": value, "updated_at": now}
    if not connection.execute(update(facts).where(here).values(row)).rowcount:
        connection.execute(insert(facts).values(key=key, **row))
