"""What was decided to be done is found among any number of holds."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DONE = sa.text("kind IN ('act', 'upkeep')")


def upgrade() -> None:
    """Add an index of nothing else."""
    columns = ["position", "rule", "id"]
    op.create_index("ix_decisions_done", "decisions", columns, sqlite_where=DONE, postgresql_where=DONE)
