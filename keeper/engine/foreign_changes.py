"""What somebody else did to a position: by the venue's own events, told from what was ours, reported and written once.

When to look is the kind's own (``lending/foreign_changes``, ``perp/foreign_changes``): only where something changed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from keeper.chain.errors import NodeError
from keeper.core.notices import sentence
from keeper.core.occurrences import Occurrence, What, strangers
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.engine.engine import Engine
from keeper.engine.holds import where
from keeper.engine.report import Data
from keeper.journal import NewDecision

REASONS = {What.LIQUIDATED: Reason.LIQUIDATED, What.DELEVERAGED: Reason.DELEVERAGED}
MOST_WORDS = 6
"""Events that an alarm names."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What the venue's events say of an account since it was last looked at: all of it, and what was not ours."""

    found: tuple[Occurrence, ...]
    foreign: tuple[Occurrence, ...]


async def happened(
    engine: Engine, name: str, since: int, block: BlockRef, own_orders: Collection[str] = ()
) -> Happened | None:
    """Return what happened after the block ``since``; None where no node says. Raises JournalError."""
    try:
        found = await engine.logs.happened(name, since + 1, block.number)
    except NodeError:
        return None
    own = await engine.journal.transactions.own_of({o.transaction for o in found})
    return Happened(found, strangers(found, own | frozenset(own_orders)))


def forced_by(found: Sequence[Occurrence]) -> What | None:
    """Return what the venue itself did; None where it was somebody's wish, or nobody knows."""
    return next((o.what for o in found if o.what.is_forced), None)


def reason_of(forced: What | None) -> Reason:
    """Return why the owner hears of it."""
    return REASONS[forced] if forced else Reason.CHANGED_OUTSIDE


def said(found: Sequence[Occurrence], unknown: str) -> str:
    """Return what happened with amounts, and in which transactions; ``unknown`` where no event says."""
    if not found:
        return unknown
    words = [f"{o.words} (block {o.block}, {o.transaction})" for o in found[-MOST_WORDS:]]
    more = f"{len(found) - MOST_WORDS} more before; " if len(found) > MOST_WORDS else ""
    return more + "; ".join(words)


@dataclass(frozen=True, slots=True)
class ForeignChange:
    """A change that was not ours, as its owner reads it; ``titles`` are several where several parts changed."""

    name: str
    block: BlockRef
    reason: Reason
    since: int
    titles: tuple[str, ...]
    words: str
    standing: tuple[str, ...]
    seen: Data

    @property
    def body(self) -> str:
        """What happened, how the position stands now, and what its owner can do."""
        return sentence(self.words, *self.standing, self.reason.remedy)


async def report_change(engine: Engine, it: ForeignChange) -> None:
    """Alert its owner, and write it down. Raises JournalError."""
    for title in it.titles:
        engine.observer.noticed(it.name, it.reason, title, it.body)
    await engine.journal.decisions.record(
        NewDecision(
            **where(it.block),
            position=it.name,
            rule=None,
            mode=engine.terms.mode,
            kind="alert" if it.reason is Reason.CHANGED_OUTSIDE else "danger",
            reason=it.reason.code,
            summary=f"{it.reason.short}: {it.words}",
            inputs={"since_block": it.since, "position": it.seen},
        )
    )
