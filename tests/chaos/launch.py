"""The real ``keeper``, with a place at which it is killed: ``launch.py POINT:N COMMAND …``, or ``-`` for no place.

The N-th time the path comes by the named point the process sends SIGKILL to itself. All of it is put around the
product's methods from outside; the product knows nothing of it. Where a file ``disk-is-full`` lies in the working
directory the journal cannot grow.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event

from keeper.chain import accounts
from keeper.chain.nodes import Nodes
from keeper.cli import main
from keeper.execution.dispatch import Dispatch
from keeper.execution.flight import Flight
from keeper.execution.lane import Lane
from keeper.journal import store

FULL = Path("disk-is-full")
DIED = Path("died-at")

# point → where, which method, before or after it
POINTS: dict[str, tuple[Any, str, str]] = {
    "before_journal": (Dispatch, "write_down", "before"),
    "after_journal": (Dispatch, "write_down", "after"),
    "before_journal_at_once": (Dispatch, "sign_all", "before"),
    "after_journal_at_once": (Dispatch, "sign_all", "after"),
    "after_broadcast": (Nodes, "send", "after"),
    "after_marked": (Dispatch, "broadcast", "after"),
    "before_receipt": (Dispatch, "look", "before"),
    "after_receipt": (accounts, "receipt", "found"),
    "after_settled": (Dispatch, "settle", "after"),
    "between_steps": (Lane, "send", "after"),
    "before_bump": (Dispatch, "resign", "before"),
    "after_bump": (Dispatch, "resign", "after"),
    "reconcile": (Flight, "fly", "before"),
    "tend": (Lane, "tend", "after"),
}


def arm(point: str, number: int) -> None:
    """Put the kill in place."""
    place, name, when = POINTS[point]
    original: Callable[..., Any] = getattr(place, name)
    seen = 0

    def pass_by() -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            DIED.write_text(f"{point}:{number}")
            os.kill(os.getpid(), signal.SIGKILL)

    async def wrapped(*args: Any, **named: Any) -> Any:
        if when == "before":
            pass_by()
        result = await original(*args, **named)
        if when == "after" or (when == "found" and result is not None):
            pass_by()
        return result

    setattr(place, name, wrapped)


def let_the_disk_fill_up() -> None:
    """SQLite's own limit stands for the disk's: it fails the same way, with "database or disk is full"."""
    original = store.prepare_sqlite

    def prepared(engine: Any, patience_s: int) -> None:
        original(engine, patience_s)

        def on_begin(connection: Any) -> None:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar() if FULL.exists() else 2**30
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar()

        event.listen(engine, "begin", on_begin)

    store.prepare_sqlite = prepared


if __name__ == "__main__":
    place = sys.argv.pop(1)
    if place != "-":
        point_, _, number_ = place.partition(":")
        arm(point_, int(number_))
    let_the_disk_fill_up()
    main()
