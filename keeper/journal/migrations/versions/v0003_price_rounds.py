"""What oracles said is kept: risk is measured from it, and a restart need not walk back to where it was."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of rounds."""
    op.create_table(
        "price_rounds",
        sa.Column("chain_id", sa.BigInteger, primary_key=True),
        sa.Column("feed", sa.String(42), primary_key=True),
        sa.Column("updated_at", sa.BigInteger, primary_key=True),
        sa.Column("round_id", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
    )
