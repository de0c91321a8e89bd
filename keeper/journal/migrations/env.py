"""Alembic's entry: runs on the connection, and inside the transaction, that `keeper.journal.migrate` hands in."""

from alembic import context

from keeper.journal.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
