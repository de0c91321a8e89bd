"""What a case and a departure are about, where that is one position: its name, who signs for it, what was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import LendingPosition, Snapshot, Unreadable
from keeper.core.units import Address
from keeper.engine.engine import Engine
from keeper.engine.lending.preflight import Prepared
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.recheck import Recheck
from keeper.execution.rehearsal import Refused


@dataclass(frozen=True, slots=True)
class OfOnePosition:
    """One position on its way through one block."""

    engine: Engine
    snapshot: Snapshot
    position: LendingPosition | PerpPosition | Unreadable

    @property
    def name(self) -> str:
        """The position's name."""
        return self.position.name

    @property
    def subject(self) -> str:
        """The position."""
        return self.name

    @property
    def signer(self) -> Address:
        """Who pays and signs for it."""
        return self.engine.reader.positions[self.name].spender


R = TypeVar("R", bound=Prepared | PerpPrepared)


class OfOnePlan(Generic[R]):
    """One rehearsed plan about to go out; what it changes is one position, whoever asked for it."""

    def __init__(self, engine: Engine, snapshot: Snapshot, prepared: R, changes: str, look: Recheck[R]) -> None:
        self._engine = engine
        self._prepared = prepared
        self._name = changes
        self.snapshot = snapshot
        self.look = look

    @property
    def refused(self) -> Sequence[tuple[Any, Refused]]:
        """Better ones that did not pass their trial."""
        return self._prepared.refused

    @property
    def signer(self) -> Address:
        """Who pays and signs for the position that is changed."""
        return self._engine.reader.positions[self._name].spender

    @property
    def subject(self) -> str:
        """Under what name is kept in mind what the owner heard: the position's, or the book's under its rule."""
        return self._prepared.plan.intent.subject
