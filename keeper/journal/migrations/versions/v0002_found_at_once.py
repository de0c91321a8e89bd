"""What an acting block asks is found by an index, however long the journal; failing plans are counted, not repeated."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OPEN = sa.text(
    "mode = 'live' AND kind || '' IN ('act', 'upkeep') AND (outcome_kind IS NULL OR outcome_kind = 'in_flight')"
)
KNOWN = sa.text("outcome_kind IS NOT NULL")


def upgrade() -> None:
    """Add two columns and the indexes."""
    op.add_column("decisions", sa.Column("repeats", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("transactions", sa.Column("decided_at", sa.BigInteger))
    op.execute(
        "UPDATE transactions SET decided_at = "
        "(SELECT block_timestamp FROM decisions WHERE decisions.id = transactions.decision_id)"
    )
    columns = ["position", "rule", "mode", "kind", "outcome_kind", "block_timestamp"]
    op.create_index("ix_decisions_outcome", "decisions", columns, sqlite_where=KNOWN, postgresql_where=KNOWN)
    op.create_index("ix_decisions_open", "decisions", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_decisions_of", "decisions", ["position", "id"])
    op.create_index("ix_transactions_replaces", "transactions", ["replaces"])
    op.create_index("ix_transactions_spent", "transactions", ["chain_id", "decided_at"])
    op.create_index("ix_transactions_state", "transactions", ["chain_id", "signer", "state", "nonce"])
