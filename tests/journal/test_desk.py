"""A transaction has a thread of its own: who waits keeps nobody waiting, who is cancelled leaves no lock behind."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from keeper.journal import JournalError, open_journal
from keeper.journal.open import Journal


async def count(journal: Journal) -> int:
    async with journal.store.reading("count") as session:
        return int(await session.scalar(text("SELECT count(*) FROM facts")))


async def test_writers_that_wait_do_not_keep_the_one_they_wait_for_from_ending(tmp_path: Path) -> None:
    """Forty at once, one after another: nobody runs into the limit of waiting."""
    async with await open_journal(str(tmp_path / "j.db"), patience_s=20) as journal:
        async with journal.store.writing("hold the lock") as session:
            others = [asyncio.create_task(journal.facts.set(f"k{i}", i)) for i in range(40)]
            await asyncio.sleep(0.1)
            await session.change(text("INSERT INTO facts (key, value, updated_at) VALUES ('mine', '1', 0)"))
        await asyncio.gather(*others)
        assert await count(journal) == 41


async def test_a_read_waits_for_no_writer(tmp_path: Path) -> None:
    """What is being written is not seen, and not waited for."""
    async with await open_journal(str(tmp_path / "j.db")) as journal:
        await journal.facts.set("a", 1)
        async with journal.store.writing("hold the lock") as session:
            await session.change(text("DELETE FROM facts"))
            assert await asyncio.wait_for(journal.facts.get("a"), 2) == 1
        assert await journal.facts.get("a") is None


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.01, 0.05])
async def test_who_is_cancelled_leaves_no_lock_and_no_half(tmp_path: Path, after_s: float) -> None:
    """At whatever moment: the next writer writes at once."""
    async with await open_journal(str(tmp_path / "j.db"), patience_s=1) as journal:

        async def slowly() -> None:
            async with journal.store.writing("write slowly") as session:
                await session.change(text("INSERT INTO facts (key, value, updated_at) VALUES ('half', '1', 0)"))
                await session.do(lambda connection: time.sleep(0.2))

        writer = asyncio.create_task(slowly())
        await asyncio.sleep(after_s)
        writer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writer
        await journal.facts.set("whole", 1)
        assert (await journal.facts.get("half"), await journal.facts.get("whole")) == (None, 1)


async def test_what_fails_is_taken_back_and_said(tmp_path: Path) -> None:
    """All of it or nothing, by either way of writing."""
    async with await open_journal(str(tmp_path / "j.db")) as journal:

        def work(connection: Connection) -> None:
            connection.execute(text("INSERT INTO facts (key, value, updated_at) VALUES ('half', '1', 0)"))
            connection.execute(text("INSERT INTO nowhere VALUES (1)"))

        with pytest.raises(JournalError, match="nowhere"):
            await journal.store.at_once("write", work)
        with pytest.raises(JournalError, match="nowhere"):
            async with journal.store.writing("write") as session:
                await session.do(work)
        assert await count(journal) == 0


async def test_a_closed_journal_holds_no_file_open(tmp_path: Path) -> None:
    """Whoever opens it next may have it to himself."""
    async with await open_journal(str(tmp_path / "j.db")) as journal:
        await asyncio.gather(*(journal.facts.set(f"k{i}", i) for i in range(5)))
    with sqlite3.connect(tmp_path / "j.db", timeout=0) as alone:
        alone.execute("PRAGMA locking_mode = EXCLUSIVE")
        alone.execute("BEGIN EXCLUSIVE")
        assert alone.execute("SELECT count(*) FROM facts").fetchone() == (5,)
