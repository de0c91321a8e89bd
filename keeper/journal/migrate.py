"""Bringing a journal's schema up to date, with the migrations that ship inside this package."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from keeper.journal.errors import SchemaTooNewError
from keeper.journal.store import Store

MIGRATIONS = Path(__file__).parent / "migrations"
ONE_AT_A_TIME = 0x6B65657065720001
"""Key of the advisory lock under which PostgreSQL journals are migrated."""


async def bring_up_to_date(store: Store) -> None:
    """Run the missing migrations in one transaction; two keepers opening at once do it once.

    Raises SchemaTooNewError for a schema this code does not know, JournalError when the database cannot be used.
    """
    async with store.reading("be opened") as connection:
        if await connection.run_sync(is_current):
            return
    async with store.writing("be migrated") as connection:
        await connection.run_sync(upgrade)


def is_current(connection: Connection) -> bool:
    """Whether nothing is to be done. Raises SchemaTooNewError."""
    scripts = ScriptDirectory.from_config(config())
    head = scripts.get_current_head() or ""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None:
        try:
            scripts.get_revision(found)
        except CommandError as unknown:
            raise SchemaTooNewError(found, head) from unknown
    return found == head


def upgrade(connection: Connection) -> None:
    """Run what is missing on this connection's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def config() -> Config:
    """Alembic's settings, without a file."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    return settings
