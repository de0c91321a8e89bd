"""A second look, before more is offered for a plan that waits to be mined: is it still asked for?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from keeper.chain.errors import NodeError
from keeper.core.decide import Decided, Hold, asked_for
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot
from keeper.core.units import Wei
from keeper.engine.engine import Engine
from keeper.engine.unconfirmed import unconfirmed
from keeper.execution.recheck import Keep, Unsure, Verdict, Weighed, verdict
from keeper.venues.ports import ReadFailedError


class RehearsedPlan(Protocol):
    """A rehearsed plan of whatever kind."""

    @property
    def plan(self) -> Weighed:
        """What it does."""

    @property
    def ceiling(self) -> Wei | None:
        """Highest fee per gas."""


P = TypeVar("P", bound=RehearsedPlan)
I = TypeVar("I")  # noqa: E741 - an intent


@dataclass(frozen=True, slots=True)
class Anew(Generic[P]):
    """The plan there would be now, and everything that was read for it."""

    snapshot: Snapshot
    prepared: P


Again = Callable[[], Awaitable[Anew[P] | Hold | Unsure | None]]
"""Decides anew, were nothing under way; None where nobody is asked, for it is no rule's. Unsure where nobody can say.

Raises NodeError, ReadFailedError, JournalError.
"""


class Recheck(Generic[P]):
    """Asked by the lane. What cannot be seen is no reason to give a rehearsed plan up, nor to pay more for it.

    Keeps what it saw for the plan that takes the place of the one that was sent. ``name`` is the position, or the book
    under its rule, as the owner hears of it.
    """

    def __init__(self, engine: Engine, name: str, sent: P, again: Again[P]) -> None:
        self._engine = engine
        self._name = name
        self._sent = sent
        self._again = again
        self.seen: Anew[P] | None = None

    async def __call__(self, has_begun: bool) -> Verdict:
        """Return what becomes of the plan. Once a part is mined the rest is finished: half a round is worse than none.

        Where nobody can say, the owner hears that nothing more is bid.
        """
        if has_begun:
            return Keep(self._sent.ceiling)
        found = await self._looked()
        if isinstance(found, Unsure):
            unconfirmed(self._engine, self._name, found)
        return found

    async def _looked(self) -> Verdict:
        self.seen, sent = None, self._sent
        try:
            now = await self._again()
        except NodeError as error:
            return Unsure(Reason.NODE_AWAY, str(error))
        except ReadFailedError as error:
            return Unsure(error.doubt.reason, error.doubt.detail)
        if now is None:
            return Keep(sent.ceiling)
        if isinstance(now, Unsure):
            return now
        if isinstance(now, Hold):
            return verdict(sent.plan, now, sent.ceiling, has_begun=False)
        self.seen = now
        return verdict(sent.plan, now.prepared.plan, now.prepared.ceiling, has_begun=False)


async def newest(engine: Engine) -> Snapshot:
    """Return everything at the newest block. Raises NodeError, ReadFailedError."""
    return await engine.reader.snapshot(await engine.reader.head())


async def best_now(
    engine: Engine, snapshot: Snapshot, name: str, decided: Decided[I], prepare: Callable[[I], Awaitable[P | Hold]]
) -> Anew[P] | Hold:
    """Return the plan there would be were nothing under way, rehearsed anew; else the gravest reason why there is none.

    Raises NodeError.
    """
    holds: tuple[Hold, ...] = decided.holds
    with engine.rehearser.again(name):
        for intent in decided.intents:
            found = await prepare(intent)
            if not isinstance(found, Hold):
                return Anew(snapshot, found)
            holds = (*holds, found)
    return asked_for(holds)
