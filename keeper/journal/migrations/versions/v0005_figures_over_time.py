"""How health, margin and delta went is kept, thinned with age: the page and the terminal view draw it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of samples."""
    op.create_table(
        "samples",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_index("ix_samples_at", "samples", ["at"])
