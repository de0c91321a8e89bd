"""The journal's tables. A change here needs a migration in `migrations/versions`, and a test holds the two equal.

Amounts of money are integers of any size, stored as decimal text. Times are whole seconds since 1970.

The migrations make the tables, on PostgreSQL with the same partial indexes. They are named here for SQLite alone: a
word of the other dialect loads all of it, 2 MiB at every start.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)


class BigInt(TypeDecorator[int]):
    """An integer of any size; refuses anything else, so a float never becomes money."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write decimal text."""
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"an amount is an integer, not {value!r}")
        return str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Read it back."""
        return None if value is None else int(value)


class Document(TypeDecorator[Any]):
    """A JSON payload; refuses what JSON has no form for (a Decimal, bytes) before anything is sent."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Raise TypeError here, where both databases report it alike."""
        json.dumps(value)
        return value


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

row_id = BigInteger().with_variant(Integer, "sqlite")

IS_OPEN = "mode = 'live' AND kind || '' IN ('act', 'upkeep') AND (outcome_kind IS NULL OR outcome_kind = 'in_flight')"
"""Whose outcome is not known: a query that holds these very words finds them by their index.

An empty text is added to the kind so that no planner prefers the index of kinds, which nearly every row matches.
"""

IS_DONE = "kind IN ('act', 'upkeep')"
"""Decisions to do something, few among any number of holds: the same holds of these words."""

decisions = Table(
    "decisions",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", String(66), nullable=False),
    Column("block_timestamp", BigInteger, nullable=False),
    Column("position", Text, nullable=False),
    Column("rule", Text),
    Column("mode", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("inputs", Document, nullable=False),
    Column("alternatives", Document, nullable=False),
    Column("plan", Document),
    Column("rehearsal", Document),
    Column("outcome", Document),
    Column("outcome_kind", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("repeats", Integer, nullable=False, default=0, server_default=text("0")),
    Index("ix_decisions_position", "position", "rule", "id"),
    Index("ix_decisions_of", "position", "id"),
    Index("ix_decisions_kind", "kind", "created_at"),
    Index(
        "ix_decisions_outcome",
        *("position", "rule", "mode", "kind", "outcome_kind", "block_timestamp"),
        sqlite_where=text("outcome_kind IS NOT NULL"),
    ),
    Index("ix_decisions_open", "id", sqlite_where=text(IS_OPEN)),
    Index("ix_decisions_done", "position", "rule", "id", sqlite_where=text(IS_DONE)),
    sqlite_autoincrement=True,  # a pruned id is never given out again: readers follow by id
)

# One row is one intent at one nonce. Rows that gave the nonce up stay for the record and are outside the index.
transactions = Table(
    "transactions",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("decision_id", row_id, ForeignKey("decisions.id"), nullable=False, index=True),
    Column("replaces", row_id, ForeignKey("transactions.id"), index=True),
    Column("step", Integer, nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("signer", String(42), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("to", String(42), nullable=False),
    Column("value", BigInt, nullable=False),
    Column("data", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("spend_usd", BigInt, nullable=False),
    Column("state", Text, nullable=False),
    Column("gas_limit", BigInteger, nullable=False),
    Column("block_number", BigInteger),
    Column("block_hash", String(66)),
    Column("gas_used", BigInteger),
    Column("effective_gas_price", BigInt),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger),  # its decision's block_timestamp, beside what a day's limit adds up
    Index("ix_transactions_spent", "chain_id", "decided_at"),
    Index("ix_transactions_state", "chain_id", "signer", "state", "nonce"),
    Index(
        "uq_transactions_live_nonce",
        "chain_id",
        "signer",
        "nonce",
        unique=True,
        sqlite_where=text("state NOT IN ('replaced', 'expired', 'cancelled')"),
    ),
    Index("ix_transactions_lane", "chain_id", "signer", "nonce"),
    sqlite_autoincrement=True,
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("transaction_id", row_id, ForeignKey("transactions.id"), nullable=False, index=True),
    Column("hash", String(66), nullable=False, unique=True),
    Column("raw", Text, nullable=False),
    Column("max_fee_per_gas", BigInt, nullable=False),
    Column("max_priority_fee_per_gas", BigInt, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    Column("broadcast_at", BigInteger),
    Column("last_error", Text),
    sqlite_autoincrement=True,
)

# What oracles said: a feed's rounds. Newest and oldest are walked to; between them none is missing.
price_rounds = Table(
    "price_rounds",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("feed", String(42), primary_key=True),
    Column("updated_at", BigInteger, primary_key=True),
    Column("round_id", BigInt, nullable=False),
    Column("answer", BigInt, nullable=False),  # 10^-8 dollars
)

# How a position's or a book's figure went: thinned with age. ``scope`` is chain, network and mode.
samples = Table(
    "samples",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("value", BigInt, nullable=False),  # Wad
    Index("ix_samples_at", "at"),
)

facts = Table(
    "facts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Document, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
