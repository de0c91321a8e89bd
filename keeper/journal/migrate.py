"""Bringing a journal's schema up to date, with the migrations that ship inside this package."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from keeper.journal.errors import SchemaTooNewError
from keeper.journal.store import Store

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
ONE_AT_A_TIME = 0x6B65657065720001
"""Key of the advisory lock under which PostgreSQL journals are migrated."""


async def bring_up_to_date(store: Store) -> None:
    """Run the missing migrations in one transaction; two keepers opening at once do it once.

    Raises SchemaTooNewError for a schema this code does not know, JournalError when the database cannot be used.
    """
    async with store.reading("be opened") as connection:
        if await connection.do(is_current):
            return
    async with store.writing("be migrated") as connection:
        await connection.do(upgrade)


class Tables(Enum):
    """Which tables a database has: none of ours, those of an earlier version, ours."""

    NONE = "none"
    OLD = "old"
    CURRENT = "current"


def is_current(connection: Connection) -> bool:
    """Whether nothing is to be done. Raises SchemaTooNewError. Alembic is loaded only where there is something."""
    return standing(connection) is Tables.CURRENT


def standing(connection: Connection) -> Tables:
    """Return which tables there are. Raises SchemaTooNewError."""
    if not inspect(connection).has_table("alembic_version"):
        return Tables.NONE
    known = revisions()
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found not in known:
        raise SchemaTooNewError(found, known[-1])
    return Tables.CURRENT if found == known[-1] else Tables.NONE if found is None else Tables.OLD


def revisions() -> list[str]:
    """Return the revisions that this code knows, in their order: each is in the name of its file."""
    return sorted(path.stem[1:5] for path in (MIGRATIONS / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py"))


def upgrade(connection: Connection) -> None:
    """Run what is missing on this connection's transaction."""
    from alembic import command  # noqa: PLC0415 - for a new journal, or a new schema

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def config() -> Config:
    """Alembic's settings, without a file."""
    from alembic.config import Config  # noqa: PLC0415 - likewise

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    return settings
