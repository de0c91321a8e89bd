"""One transaction in a thread of its own: what waits for a lock, or for the disk, keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, Executable, Result

P = ParamSpec("P")
T = TypeVar("T")


class Desk:
    """A thread, and the connection that is worked with there: for one transaction at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._connection: Connection | None = None

    async def run(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something in the thread. What is cancelled meanwhile is still done, and before whatever comes next."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: do(*args, **kwargs))

    async def begin(self, engine: Engine, *, writes: bool) -> None:
        """Open a connection and begin a transaction on it."""
        await self.run(self._begin, engine, writes=writes)

    async def end(self, *, stays: bool) -> None:
        """Commit it or take it back, and give the connection away: done even where whoever waits is cancelled."""
        await asyncio.shield(self.run(self._end, stays=stays))

    @property
    def connection(self) -> Connection:
        """The connection of the transaction. Raises RuntimeError outside of one."""
        if self._connection is None:
            raise RuntimeError("no transaction is open")
        return self._connection

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False)

    def _begin(self, engine: Engine, *, writes: bool) -> None:
        self._connection = engine.connect().execution_options(writes=writes)
        self._connection.begin()

    def _end(self, *, stays: bool) -> None:
        if self._connection is None:
            return
        try:
            (self._connection.commit if stays else self._connection.rollback)()
        finally:
            self._connection.close()
            self._connection = None


class Session:
    """An open transaction, as the repositories use it: what is asked is answered whole, fetched where it was asked."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def read(self, query: Executable) -> Result[*tuple[Any, ...]]:
        """Return all that a query, or a change that returns rows, gives."""

        def whole() -> Result[*tuple[Any, ...]]:
            return self._desk.connection.execute(query).freeze()()

        return await self._desk.run(whole)

    async def scalar(self, query: Executable) -> Any:
        """Return the first column of the first row, None where there is none."""
        return await self._desk.run(lambda: self._desk.connection.scalar(query))

    async def change(self, statement: Executable) -> int:
        """Change rows and return how many."""
        return await self._desk.run(lambda: int(self._desk.connection.execute(statement).rowcount))

    async def do(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work that is written for a connection, in one visit to the thread."""
        return await self._desk.run(lambda: work(self._desk.connection, *args, **kwargs))
