"""The connection to the database: one transaction per use, durable when it returns, failures as JournalError."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from keeper.journal.desk import Desk, Session
from keeper.journal.errors import JournalError, from_database

T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """Counts what this process wrote: what was read from the journal holds as long as the count stands still."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class Store:
    """An engine and a clock (whole seconds since 1970)."""

    engine: Engine
    clock: Callable[[], int]
    tally: Tally = field(default_factory=Tally)
    desks: list[Desk] = field(default_factory=list)
    """Threads that nobody works in now."""

    @property
    def is_file(self) -> bool:
        """Whether it is a file of this machine's, and not a server or memory."""
        return self.engine.url.get_backend_name() == "sqlite" and self.engine.url.database not in (None, "", ":memory:")

    @asynccontextmanager
    async def reading(self, action: str) -> AsyncIterator[Session]:
        """A consistent view; never waits for a writer on SQLite. Raises JournalError."""
        async with self._transaction(action, writes=False) as session:
            yield session

    @asynccontextmanager
    async def writing(self, action: str) -> AsyncIterator[Session]:
        """All of it or nothing; on the disk when this returns. Raises JournalError."""
        self.tally.count += 1  # before and after: what is read meanwhile may not have seen it yet
        try:
            async with self._transaction(action, writes=True) as session:
                yield session
        finally:
            self.tally.count += 1

    async def at_once(self, action: str, work: Callable[[Connection], T], *, stays: bool = True) -> T:
        """Run a whole transaction in one visit to a thread: an acting block waits for it. Raises JournalError.

        All of it or nothing, on the disk when this returns. Unless it ``stays`` it is undone at its end, and the
        tally left as it is.
        """
        self.tally.count += stays
        desk = self.desks.pop() if self.desks else Desk()
        try:
            return await desk.run(_run, self.engine, work, stays)
        except (SQLAlchemyError, OSError) as failure:
            raise from_database(action, failure) from failure
        finally:
            self.desks.append(desk)
            self.tally.count += stays

    @asynccontextmanager
    async def _transaction(self, action: str, *, writes: bool) -> AsyncIterator[Session]:
        desk, is_whole = self.desks.pop() if self.desks else Desk(), False
        try:
            try:
                await desk.begin(self.engine, writes=writes)
                yield Session(desk)
                is_whole = True
            finally:
                await desk.end(stays=is_whole and writes)
        except (SQLAlchemyError, OSError) as failure:
            raise from_database(action, failure) from failure
        finally:
            self.desks.append(desk)

    async def close(self) -> None:
        """Let go of every connection."""
        for desk in self.desks:
            desk.close()
        self.engine.dispose()


def _run(engine: Engine, work: Callable[[Connection], T], stays: bool) -> T:
    with engine.connect().execution_options(writes=True) as connection:
        found = work(connection)
        connection.commit() if stays else connection.rollback()
        return found


def connect(address: str, clock: Callable[[], int], patience_s: int) -> Store:
    """Build the engine for a URL or a file path; nothing is opened yet. Raises JournalError for what is neither."""
    url = parse(address)
    try:
        engine = create_engine(url)
    except ModuleNotFoundError as missing:
        remedy = "Install the extra: pip install 'position-keeper[postgres]'."
        raise JournalError("be opened", f"the driver {missing.name} is not installed", remedy) from missing
    if url.get_backend_name() != "sqlite":
        prepare_postgresql(engine, patience_s)
    else:
        prepare_sqlite(engine, patience_s)
    return Store(engine, clock)


def parse(address: str) -> URL:
    """``postgresql://…``, ``sqlite:///file`` or a plain path, with the driver this package uses."""
    if "://" not in address:
        return sqlite_url(address)
    remedy = "Use a file path, sqlite:///path or postgresql://user@host/name."
    try:
        url = make_url(address)
    except ArgumentError as failure:
        raise JournalError("be opened", "its URL cannot be read", remedy) from failure
    match url.get_backend_name():
        case "sqlite" if url.database:
            return sqlite_url(url.database)
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
        case _:
            raise JournalError("be opened", f"{url.render_as_string()} is not a database it can use", remedy)


def sqlite_url(path: str) -> URL:
    """The file's URL; its folder is made."""
    file = Path(path).expanduser()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as failure:
        raise from_database("be opened", failure) from failure
    return URL.create("sqlite", database=str(file))


def prepare_sqlite(engine: Engine, patience_s: int) -> None:
    """Durable at commit (WAL with full synchronisation), one writer at a time, readers never blocked."""

    def on_connect(connection: Any, record: object) -> None:
        connection.isolation_level = None  # transactions begin below, DDL included
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {patience_s * 1000}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            patiently(partial(cursor.execute, f"PRAGMA {pragma}"), patience_s)
        cursor.close()

    def on_begin(connection: Connection) -> None:
        # A writer takes the lock at once: upgrading a read later fails without waiting for busy_timeout.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)


def patiently(do: Callable[[], object], patience_s: int) -> None:
    """Do it again while the database is locked: turning to WAL does not wait for busy_timeout."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            do()
        except sqlite3.OperationalError as failure:
            if "locked" not in str(failure) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def prepare_postgresql(engine: Engine, patience_s: int) -> None:
    """A server set to confirm commits before they are on its disk is overruled; waiting for a lock has an end."""

    def on_connect(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        cursor.execute(f"SET lock_timeout = '{patience_s}s'")
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", on_connect)
