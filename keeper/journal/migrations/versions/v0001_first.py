"""The first schema: decisions, transactions with their attempts, facts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
LIVE = sa.text("state NOT IN ('replaced', 'expired', 'cancelled')")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "decisions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("block_number", sa.BigInteger, nullable=False),
        sa.Column("block_hash", sa.String(66), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger, nullable=False),
        sa.Column("position", sa.Text, nullable=False),
        sa.Column("rule", sa.Text),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("inputs", sa.JSON, nullable=False),
        sa.Column("alternatives", sa.JSON, nullable=False),
        sa.Column("plan", sa.JSON),
        sa.Column("rehearsal", sa.JSON),
        sa.Column("outcome", sa.JSON),
        sa.Column("outcome_kind", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_position", "decisions", ["position", "rule", "id"])
    op.create_index("ix_decisions_kind", "decisions", ["kind", "created_at"])

    op.create_table(
        "transactions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("decision_id", ROW_ID, nullable=False),
        sa.Column("replaces", ROW_ID),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("signer", sa.String(42), nullable=False),
        sa.Column("nonce", sa.BigInteger, nullable=False),
        sa.Column("to", sa.String(42), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("spend_usd", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("gas_limit", sa.BigInteger, nullable=False),
        sa.Column("block_number", sa.BigInteger),
        sa.Column("block_hash", sa.String(66)),
        sa.Column("gas_used", sa.BigInteger),
        sa.Column("effective_gas_price", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transactions"),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name="fk_transactions_decision_id"),
        sa.ForeignKeyConstraint(["replaces"], ["transactions.id"], name="fk_transactions_replaces"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_transactions_decision_id", "transactions", ["decision_id"])
    op.create_index("ix_transactions_lane", "transactions", ["chain_id", "signer", "nonce"])
    op.create_index(
        "uq_transactions_live_nonce",
        "transactions",
        ["chain_id", "signer", "nonce"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )

    op.create_table(
        "attempts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("transaction_id", ROW_ID, nullable=False),
        sa.Column("hash", sa.String(66), nullable=False),
        sa.Column("raw", sa.Text, nullable=False),
        sa.Column("max_fee_per_gas", sa.Text, nullable=False),
        sa.Column("max_priority_fee_per_gas", sa.Text, nullable=False),
        sa.Column("signed_at", sa.BigInteger, nullable=False),
        sa.Column("broadcast_at", sa.BigInteger),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name="fk_attempts_transaction_id"),
        sa.UniqueConstraint("hash", name="uq_attempts_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attempts_transaction_id", "attempts", ["transaction_id"])

    op.create_table(
        "facts",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_facts"),
    )
