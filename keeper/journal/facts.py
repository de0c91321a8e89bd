"""Small things to remember between cycles and restarts: trailing stops, when an alert was last sent.

No plan's past is read from them, and no nonce: they have a tally of their own, so that writing one down makes nothing
stale that was made ready for the next block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from sqlalchemy import delete, insert, select, update

from keeper.journal.schema import facts
from keeper.journal.store import Store, Tally


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

    async def set(self, key: str, value: Any) -> None:
        """Remember a value; None forgets it. Raises JournalError."""
        here = facts.c.key == key
        async with self.store.writing(f"write the fact {key}") as connection:
            if value is None:
                await connection.change(delete(facts).where(here))
                return
            row = {"value": value, "updated_at": self.store.clock()}
            if not await connection.change(update(facts).where(here).values(row)):
                await connection.change(insert(facts).values(key=key, **row))
