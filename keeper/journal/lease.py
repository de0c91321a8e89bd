"""The right to sign for an account among all keepers that share a database: PostgreSQL's own lock of a session.

It ends with its connection, however that ends: a machine that is lost holds nothing for ever. A journal in a file is
one machine's, and there the signer's lock file does the same (``execution/lock``).
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from keeper.journal.desk import Desk
from keeper.journal.errors import JournalError
from keeper.journal.store import Store

ALIVE = """SELECT set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false),
set_config('tcp_keepalives_count', '3', false)"""
"""The server lets go of a machine that is lost within half a minute; by itself it would take hours."""
TAKEN = "another keeper that shares this database keeps it"


class LeaseHeldError(JournalError):
    """Another keeper holds it: this one must not sign for the account."""


class Lease:
    """One account's, on a connection of its own."""

    def __init__(self, store: Store, name: str) -> None:
        self._engine: Engine = store.engine
        self._is_shared = store.engine.url.get_backend_name() == "postgresql"
        self._key = int.from_bytes(hashlib.sha256(f"keeper:{name}".encode()).digest()[:8], "big", signed=True)
        self._name = name
        self._desk = Desk()
        self._connection: Connection | None = None

    async def hold(self) -> None:
        """Make sure that it is ours; take it again where its connection was lost.

        Raises LeaseHeldError, JournalError.
        """
        if not self._is_shared:
            return
        if not await self._desk.run(self._held):
            raise LeaseHeldError(f"sign for {self._name}", TAKEN, "Stop one of the two.")

    async def close(self) -> None:
        """Give it back."""
        await self._desk.run(self._let_go)
        self._desk.close()

    def _held(self) -> bool:
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return True
        except (SQLAlchemyError, OSError):
            self._let_go()
        try:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text(ALIVE))
            asked = text("SELECT pg_try_advisory_lock(:key)")
            if connection.scalar(asked, {"key": self._key}):
                self._connection = connection
                return True
            connection.close()
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(
                f"keep the right to sign for {self._name}", type(error).__name__, "See its server."
            ) from None
        return False

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # closed, and not handed back to a pool with the lock still on it
            connection.close()
