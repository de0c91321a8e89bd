"""A decision and everything signed for it, in one durable commit: what an acting block writes before the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from keeper.journal.decisions import Entry, insert_decision
from keeper.journal.transactions import Attempt, NewAttempt, NewTransaction, Transaction, Transactions


@dataclass(frozen=True, slots=True)
class Bursts:
    """Transactions that go out together."""

    transactions: Transactions

    async def add(self, entry: Entry, burst: Sequence[tuple[NewTransaction, NewAttempt]]) -> tuple[Transaction, ...]:
        """Write a decision, unless it is written, and all that is signed for it. Call it before the wire.

        The rows' own ``decision_id`` counts for nothing: they belong to the entry. Raises NonceTakenError when
        another intent lives at one of the nonces, JournalError; then nothing at all is written.
        """
        store, rows = self.transactions.store, list[Transaction]()
        now, id_ = store.clock(), entry.id
        async with store.writing("add a burst") as connection:
            if id_ is None:
                id_ = await insert_decision(connection, entry.decision, now)
            for transaction, attempt in burst:
                row = replace(transaction, decision_id=id_)
                ids = await self.transactions.insert(connection, row, attempt, replaces=None)
                rows.append(_as_written(row, attempt, ids, now))
        entry.id = id_
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
