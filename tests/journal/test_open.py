"""Opening, migrating, and failing loudly."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text

from keeper.journal import Journal, JournalError, SchemaTooNewError, open_journal
from keeper.journal.migrate import config, revisions
from keeper.journal.schema import metadata
from keeper.journal.store import connect, parse
from tests.journal.conftest import attempt, decision, transaction

ROOT = Path(__file__).resolve().parents[2]


async def test_an_empty_database_becomes_the_schema_of_the_code(journal: Journal) -> None:
    """The migrations and the tables the code uses are the same, on both databases."""

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with journal.store.reading("compare") as connection:
        assert await connection.do(differences) == []


async def test_a_journal_opened_again_remembers(address: str) -> None:
    """Opening migrates once and then leaves everything as it is."""
    async with await open_journal(address) as journal:
        written = await journal.decisions.record(decision())
    async with await open_journal(address) as journal:
        assert await journal.decisions.get(written) is not None


async def test_two_keepers_opening_an_empty_journal_migrate_it_once(address: str) -> None:
    """A daemon and a command started together must not trip over each other."""
    both = await asyncio.gather(open_journal(address), open_journal(address))
    for journal in both:
        await journal.decisions.record(decision())
        await journal.close()


async def test_a_journal_of_a_newer_keeper_is_refused(address: str) -> None:
    """An old keeper would misread it; it says so and changes nothing."""
    async with await open_journal(address) as journal, journal.store.writing("pretend") as connection:
        await connection.change(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNewError, match="schema 9999") as refused:
        await open_journal(address)
    assert "newer keeper" in refused.value.remedy


def test_the_names_of_the_migrations_are_their_chain() -> None:
    """What is known of them without Alembic, by their files, is what Alembic would run, in its order."""
    chain = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()]
    assert revisions() == chain[::-1]


@pytest.mark.slow
async def test_a_journal_up_to_date_is_opened_without_alembic(address: str) -> None:
    """A start pays for it only where there is something to migrate."""
    await (await open_journal(address)).close()
    program = f"""
import asyncio, sys
from keeper.journal import open_journal
async def work():
    await (await open_journal({address!r})).close()
asyncio.run(work())
print("alembic" in sys.modules)
"""
    command = [sys.executable, "-c", program]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
async def test_a_held_lock_is_an_error_with_a_remedy(address: str) -> None:
    """Waiting has an end, and the write that did not happen is not taken for one that did."""
    async with await open_journal(address, patience_s=1) as journal:
        holder = hold(address)
        began = time.monotonic()
        with pytest.raises(JournalError, match="Another program holds the journal"):
            await journal.decisions.record(decision())
        assert time.monotonic() - began < 10
        holder.rollback()
        holder.close()
        assert await journal.decisions.recent(9) == ()
        await journal.decisions.record(decision())


def hold(address: str) -> "sqlite3.Connection | psycopg.Connection[tuple[object, ...]]":
    """Another program in the middle of a write."""
    if "://" in address:
        connection = psycopg.connect(address)
        connection.execute("LOCK TABLE decisions IN ACCESS EXCLUSIVE MODE")
        return connection
    file = sqlite3.connect(address)
    file.execute("BEGIN IMMEDIATE")
    return file


async def test_a_reader_does_not_wait_for_a_writer_on_sqlite(tmp_path: Path) -> None:
    """`keeper status` answers while the daemon writes."""
    async with await open_journal(str(tmp_path / "j.db"), patience_s=1) as journal:
        written = await journal.decisions.record(decision())
        holder = hold(str(tmp_path / "j.db"))
        assert await journal.decisions.get(written) is not None
        async with await open_journal(str(tmp_path / "j.db"), patience_s=1) as another:
            assert await another.decisions.get(written) is not None
        holder.close()


async def test_a_full_disk_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """Nothing is signed when it cannot be remembered."""
    async with await open_journal(str(tmp_path / "j.db")) as journal:
        decided = await journal.decisions.record(decision())

        def fill(connection: Connection) -> None:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")

        event.listen(journal.store.engine, "begin", fill)
        with pytest.raises(JournalError, match="Make room on the disk"):
            await journal.transactions.add_signed(transaction(decided, data="0x" + "00" * 100_000), attempt(1))
        event.remove(journal.store.engine, "begin", fill)
        assert await journal.transactions.of_decision(decided) == ()


async def test_sqlite_commits_are_on_the_disk(tmp_path: Path) -> None:
    """Signed bytes must outlive a power cut: full synchronisation, and nothing points into the void."""
    async with await open_journal(f"sqlite:///{tmp_path}/j.db") as journal, journal.store.reading("look") as connection:
        found = [
            await connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]


async def test_postgresql_confirms_only_what_is_on_its_disk(postgresql: str) -> None:
    """A server set to be quick rather than durable is overruled for the journal's sessions."""
    with psycopg.connect(postgresql, autocommit=True) as admin:
        admin.execute("CREATE DATABASE quick")
        admin.execute("ALTER DATABASE quick SET synchronous_commit = 'off'")
    async with (
        await open_journal(postgresql.replace("/postgres?", "/quick?")) as journal,
        journal.store.reading("look") as connection,
    ):
        assert await connection.scalar(text("SHOW synchronous_commit")) == "on"


async def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    """A wrong path must not be taken for an empty memory."""
    (tmp_path / "notes.txt").write_text("not a database, by far" * 100)
    with pytest.raises(JournalError, match="not a journal"):
        await open_journal(str(tmp_path / "notes.txt"))


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message names the path, not a line of code."""
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="file"):
        await open_journal(str(tmp_path / "file" / "deeper" / "j.db"))


async def test_an_unreachable_server_is_an_error_without_the_password() -> None:
    """A secret in a URL never reaches a message."""
    with pytest.raises(JournalError) as refused:
        await open_journal("postgresql://keeper:hunter2@127.0.0.1:1/journal?connect_timeout=2")
    assert "hunter2" not in str(refused.value)
    assert "reachable" in refused.value.remedy


@pytest.mark.parametrize("address", ["mysql://root:hunter2@host/name", "://", "sqlite://"])
def test_a_database_it_cannot_use_is_refused(address: str) -> None:
    """Only SQLite and PostgreSQL are tried out, so only they are accepted."""
    with pytest.raises(JournalError, match="be opened") as refused:
        parse(address)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "driver"),
    [
        ("postgresql://u@h/n", "postgresql+psycopg"),
        ("postgres://u@h/n", "postgresql+psycopg"),
        ("sqlite:///j.db", "sqlite"),
        ("j.db", "sqlite"),
    ],
)
def test_the_driver_is_chosen_for_the_owner(address: str, driver: str) -> None:
    """The owner writes the URL everybody knows."""
    assert parse(address).drivername == driver


def test_connecting_opens_nothing_yet(tmp_path: Path) -> None:
    """A settings check can build the parts without touching the database."""
    connect(str(tmp_path / "j.db"), clock=lambda: 0, patience_s=1)
    assert not (tmp_path / "j.db").exists()
