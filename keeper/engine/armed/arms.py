"""What making plans ready asks of a kind of position: a port, and everything else in this folder is the same for all.

A book has none: what is in it moves in units of the underlying, so no price moves its delta. Its members have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from keeper.core.armed.scenarios import Outlook
from keeper.core.metrics import P
from keeper.core.rules import Kind, Rule, Unjudged
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address, Bps
from keeper.engine.armed.ready import Armed, I_contra, R_co
from keeper.engine.engine import Engine
from keeper.engine.submit import Departure
from keeper.execution.rehearsal import Refused, Simulator
from keeper.venues.ports import Account

A = TypeVar("A")
W = TypeVar("W")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Rung(Generic[P, W]):
    """A position as it would be at other prices, and the best plans there."""

    position: P
    plans: tuple[W, ...]


class Base(Protocol[P, I_contra, W, R_co]):
    """One position at one block, and what all rungs of its ladders have in common."""

    async def rungs(self, intents: Sequence[I_contra], step: Bps) -> list[Rung[P, W]]:
        """Return plans for intents at prices not yet come, that leave ``step`` of the slippage unused.

        Of a ladder: the last is the farthest. Raises NodeError.
        """

    async def watch(self, rungs: Sequence[Rung[P, W]]) -> None:
        """From now on plans rest on what these want read at each block. Raises NodeError."""

    async def trial(
        self, rung: Rung[P, W], plan: W, step: Bps, how: str, simulator: Simulator
    ) -> Armed[I_contra, R_co] | Refused:
        """Return a plan ready to be sent at the rung's prices, the oracle made to answer them. Raises NodeError."""

    def label(self, plan: W) -> str:
        """Return what people call a plan."""


class Arms(Protocol[P, A, I_contra, W, R]):
    """One kind of position, as plans are made ready for it."""

    kind: Kind[P, Any, Any]
    outlook: Outlook[P]

    def rules(self, engine: Engine, name: str) -> Sequence[Rule[P]]:
        """Return the rules of a position."""

    def account(self, engine: Engine, name: str) -> Account[P]:
        """Return its account. Raises ReadFailedError."""

    def judge(self, engine: Engine, snapshot: Snapshot, position: P) -> A | Unjudged:
        """Judge it at a state that was foretold: nothing of it is remembered."""

    async def base(self, engine: Engine, snapshot: Snapshot, one: A, signer: Address) -> Base[P, I_contra, W, R]:
        """Return what all rungs share. Raises NodeError, ReadFailedError, JournalError."""

    def departure(self, engine: Engine, snapshot: Snapshot, prepared: R, how: str) -> Departure[Any]:
        """Return a plan about to go out, with how it was found."""
