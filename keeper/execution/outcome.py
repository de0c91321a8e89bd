"""What came of a plan, whatever kind of position it was about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.core.snapshot import AccountFigures
from keeper.journal.decisions import OutcomeKind

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Ending(Generic[F]):
    """Restored, partial, failed, cancelled, or rehearsed only. ``after`` is at the chain's own prices."""

    kind: OutcomeKind
    reason: Reason
    detail: str
    after: F | None
    hashes: tuple[str, ...] = ()
    gave_way: bool = False
    """Whether a plan of the same danger before it fell short, and this one went out in its place."""
    waiting: tuple[str, ...] = ()
    """The orders the venue had not carried out when patience ended."""
    failed_orders: int = 0

    @property
    def helped(self) -> bool:
        """Whether the promise was kept."""
        return self.kind in ("restored", "rehearsed")

    @property
    def may_have_left_something(self) -> bool:
        """Whether something taken out or bought may be outside the position still."""
        return self.gave_way or self.kind in ("failed", "cancelled")


class Outcome(Ending[AccountFigures]):
    """Of a plan about a loan: the protocol's own figures afterwards."""

    __slots__ = ()


class PerpOutcome(Ending[PerpPosition]):
    """Of a plan about a perpetual position."""

    __slots__ = ()
