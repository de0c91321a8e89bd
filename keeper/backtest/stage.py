"""What is played, whatever kind of account it is: the scene as a play sees it, and what is noted of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from keeper.backtest.course import PriceCourse
from keeper.core.occurrences import Occurrence
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.contracts.transfers import Transfer
from keeper.venues.effects import Call

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class PlayedDeed:
    """Something that changed the account: a plan, or a liquidation."""

    at: int
    what: str
    how: str
    """``restored``, ``partial``, ``failed``, ``cancelled``, or ``liquidated``."""
    health: int
    """The figure that its owner goes by, before it, Wad."""
    health_after: int
    loss_usd: int = 0
    """Of a liquidation: what it took beyond the debt it paid."""


@dataclass(frozen=True, slots=True)
class Made(Generic[S]):
    """What became of one call: how it stands after it, what it took, and why it reverted where it did."""

    after: S
    gas: int
    error: str | None = None
    moved: tuple[Transfer, ...] = ()
    """What tokens say that it moved, where others held it on its way."""


class PaperChain(Protocol[S]):
    """The chain on paper: its clock, one account on it, and what calls do to it."""

    now: int
    happened: list[Occurrence]
    known: dict[int, S]

    def block(self) -> BlockRef:
        """Return the block of now."""

    def seen(self) -> S:
        """Return the account as it stands now."""

    def run(self, s: S, call: Call) -> Made[S]:
        """Return what a call does to an account."""

    def send(self, call: Call, gas_price: Wei) -> Made[S]:
        """Mine a call."""


class PlayedScene(PaperChain[S], Protocol[S]):
    """The scene while it is played: besides calls, what liquidators and a venue's own keepers do."""

    course: PriceCourse
    standing: S
    gas_usd: int

    def answers(self, at: int) -> dict[Address, int]:
        """Return what oracles say at a time."""

    def forced(self) -> PlayedDeed | None:
        """Let liquidators take what the venue lets them, at the oracle's prices."""

    def carried_out(self) -> bool:
        """Let the venue's keepers do what is due; return whether anything changed."""

    @property
    def due(self) -> int | None:
        """When they do the next; None where nothing waits for them."""

    def worth_of(self, of: S) -> int:
        """Return what somebody has at prices of now who stood so, interest until now included. Dollars of 10^-8."""

    @property
    def figure(self) -> int:
        """The figure that its owner goes by, Wad."""

    def figure_in(self, judged: Mapping[str, Any]) -> int:
        """Return the same of what the journal keeps of a position."""


@dataclass(slots=True)
class Stage(Generic[S]):
    """The scene while it is played, and what came of it so far."""

    scene: PlayedScene[S]
    paper: Any
    """Engine, pool and journal (``OnPaper``); None where nobody keeps the account."""
    rests: Callable[[Stage[S], int], int] = lambda _, place: place
    """From a place of the course the next at which anything could happen."""
    stands: list[tuple[int, S]] = field(default_factory=list)
    deeds: list[PlayedDeed] = field(default_factory=list)
    costs: list[tuple[int, int]] = field(default_factory=list)
    kept: int = 0
    played: int = 0
    unmeasured_s: int = 0
    unmeasured_since: int | None = None
    asked: int = 0
    """Blocks in a row at which a rule asked for what it did not get."""
    shown: int = 0
    """Answers of the oracle that the circuit breaker has seen."""
    noted: int = 0
    """Plans of the journal that are written down as deeds."""
