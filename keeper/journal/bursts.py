"""A decision and everything signed for it, in one durable commit: what an acting block writes before the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

from sqlalchemy import Connection

from keeper.journal.decisions import Entry, insert_decision
from keeper.journal.signed import Attempt, NewAttempt, NewTransaction, Transaction
from keeper.journal.transactions import Transactions

Burst = Sequence[tuple[NewTransaction, NewAttempt]]
"""What goes out together; never empty."""


@dataclass(frozen=True, slots=True)
class Bursts:
    """Transactions that go out together."""

    transactions: Transactions

    async def warm_up(self, entry: Entry, burst: Burst) -> None:
        """Do as ``add`` does, and undo it: what is compiled and opened for a first time is so before it is needed.

        Leaves no trace. Raises JournalError.
        """
        await self.transactions.store.at_once("warm up", partial(self._written, entry=entry, burst=burst), stays=False)

    async def add(self, entry: Entry, burst: Burst) -> tuple[Transaction, ...]:
        """Write a decision, unless it is written, and all that is signed for it. Call it before the wire.

        The rows' own ``decision_id`` counts for nothing: they belong to the entry. Raises NonceTakenError when
        another intent lives at one of the nonces, JournalError; then nothing at all is written.
        """
        store = self.transactions.store
        rows = await store.at_once("add a burst", partial(self._written, entry=entry, burst=burst))
        entry.id = rows[0].decision_id
        return rows

    def _written(self, connection: Connection, entry: Entry, burst: Burst) -> tuple[Transaction, ...]:
        now, id_, rows = self.transactions.store.clock(), entry.id, list[Transaction]()
        if id_ is None:
            id_ = insert_decision(connection, entry.decision, now)
        for transaction, attempt in burst:
            row = replace(transaction, decision_id=id_)
            ids = self.transactions.insert(connection, row, attempt, None)
            rows.append(replace(_as_written(row, attempt, ids, now), decided_at=entry.decision.block_timestamp))
        return tuple(rows)


def _as_written(row: NewTransaction, attempt: NewAttempt, ids: tuple[int, int], now: int) -> Transaction:
    """Return a row as it was just written."""
    signed = Attempt(
        **{f.name: getattr(attempt, f.name) for f in fields(NewAttempt)},
        id=ids[1],
        transaction_id=ids[0],
        signed_at=now,
        broadcast_at=None,
        last_error=None,
    )
    return Transaction(
        **{f.name: getattr(row, f.name) for f in fields(NewTransaction)},
        id=ids[0],
        replaces=None,
        state="signed",
        block_number=None,
        block_hash=None,
        gas_used=None,
        effective_gas_price=None,
        error=None,
        created_at=now,
        updated_at=now,
        attempts=(signed,),
    )
