"""The positions and books of one block, each as a case of its kind."""

from __future__ import annotations

from keeper.core.family import Family
from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import LendingPosition, Snapshot, Unreadable
from keeper.engine.case import AnyCase
from keeper.engine.engine import Engine
from keeper.engine.lending.case import LendingCase
from keeper.engine.perp.book_case import BookCase
from keeper.engine.perp.case import PerpCase


def cases_of(engine: Engine, snapshot: Snapshot) -> tuple[AnyCase, ...]:
    """Return every position that was read, and every book under each of its rules, in the settings' order."""
    positions = [case_of(engine, snapshot, position) for position in snapshot.positions]
    books = [
        BookCase(engine, snapshot, engine.perps.book(rule.position), rule, wave=2 + i)
        for i, rule in enumerate(engine.perps.book_rules)
    ]
    return (*positions, *books)


def case_of(engine: Engine, snapshot: Snapshot, position: LendingPosition | PerpPosition | Unreadable) -> AnyCase:
    """Return a position as a case; one that could not be read is of the kind the settings say."""
    if isinstance(position, PerpPosition) or (
        isinstance(position, Unreadable) and engine.family(position.name) is Family.PERP
    ):
        return PerpCase(engine, snapshot, position)
    return LendingCase(engine, snapshot, position)
