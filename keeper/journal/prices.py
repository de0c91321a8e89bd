"""What oracles said, by feed and time: rounds are read from the chain once, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from keeper.journal.schema import price_rounds
from keeper.journal.store import Store

_PART = 500
"""Rows that go into one statement."""


@dataclass(frozen=True, slots=True)
class PriceRound:
    """A round of a feed: what one whole token costs (10^-8 dollars) from ``updated_at`` on."""

    updated_at: int
    round_id: int
    answer: int


@dataclass(frozen=True, slots=True)
class Prices:
    """Rounds by chain and feed, in the order of their times."""

    store: Store

    async def since(self, chain_id: int, feed: str, at: int) -> tuple[PriceRound, ...]:
        """Return what a feed said from a time on. Raises JournalError."""
        of = price_rounds.c
        query = (
            select(of.updated_at, of.round_id, of.answer)
            .where(of.chain_id == chain_id, of.feed == feed, of.updated_at >= at)
            .order_by(of.updated_at)
        )
        async with self.store.reading(f"read the prices of {feed}") as session:
            return tuple(PriceRound(*row) for row in await session.read(query))

    async def replace(self, chain_id: int, feed: str, begin: int, rounds: Sequence[PriceRound]) -> None:
        """Put rounds in the place of all that was kept from ``begin`` on: all of it or nothing. Raises JournalError.

        What a reorg took back goes with it.
        """
        of = price_rounds.c
        rows = [
            {"chain_id": chain_id, "feed": feed, "updated_at": r.updated_at, "round_id": r.round_id, "answer": r.answer}
            for r in rounds
        ]

        def work(connection: Connection) -> None:
            connection.execute(
                delete(price_rounds).where(of.chain_id == chain_id, of.feed == feed, of.updated_at >= begin)
            )
            for i in range(0, len(rows), _PART):
                connection.execute(insert(price_rounds), rows[i : i + _PART])

        await self.store.at_once(f"write the prices of {feed}", work)

    async def forget_before(self, chain_id: int, at: int) -> None:
        """Forget what is older. Raises JournalError."""
        of = price_rounds.c
        async with self.store.writing("forget old prices") as session:
            await session.change(delete(price_rounds).where(of.chain_id == chain_id, of.updated_at < at))
