"""One position or book on its way through one block: what differs by kind, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from keeper.core.decide import Decided, Hold
from keeper.core.drills import Rehearsal
from keeper.core.family import Family
from keeper.core.notices import Notice
from keeper.core.rules import Unjudged
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address
from keeper.engine.result import AnyAssessment, AnyIntent, AnyOutcome, AnyPrepared

A = TypeVar("A", bound=AnyAssessment)
I = TypeVar("I", bound=AnyIntent)  # noqa: E741 - an intent, as A is an assessment
R = TypeVar("R", bound=AnyPrepared)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Considered(Generic[I, R]):
    """What it comes to: a hold, or an intent with its rehearsed plan; and what the other rules came to."""

    decision: Hold | I
    prepared: R | None = None
    others: tuple[Hold, ...] = ()

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Every hold: what the rules came to, but the plan."""
        return (self.decision, *self.others) if isinstance(self.decision, Hold) else self.others


class Case(Protocol[A, I, R]):
    """The stages of the story for one kind, each for one position or book at one block."""

    @property
    def name(self) -> str:
        """The position's or the book's name."""

    @property
    def signer(self) -> Address:
        """Who would sign for it."""

    @property
    def snapshot(self) -> Snapshot:
        """Everything that was read at the block."""

    @property
    def family(self) -> Family:
        """Which kind it is of, for those who show it."""

    @property
    def wave(self) -> int:
        """When in a block it is judged: cases of a wave are judged together, the next meets what they decided."""

    async def assess(self) -> A | Unjudged:
        """Return what its rules say of it at this block. Raises JournalError."""

    async def decide(self, assessed: A | Unjudged) -> Decided[I]:
        """Return what each fired rule comes to. Raises JournalError."""

    def urgency(self, intent: I) -> tuple[bool, int, int]:
        """Return what plans of one block are ordered by, the smallest first."""

    async def prepare(self, intent: I) -> R | Hold:
        """Return the best rehearsed plan for a rule's intent, or why there is none. Raises NodeError."""

    async def tend(self, found: Considered[I, R]) -> Considered[I, R]:
        """See to what is due besides the rules before anything is sent: orders left, what others did.

        Returns what it comes to then. Raises NodeError, JournalError.
        """

    async def submit(self, prepared: R) -> AnyOutcome | asyncio.Task[AnyOutcome]:
        """Write a plan down, then send it; in dry run the rehearsal was all. Raises JournalError."""

    def goes_ahead(self, prepared: R, outcome: AnyOutcome | asyncio.Task[AnyOutcome]) -> None:
        """Let what is decided next at this block meet what this plan leaves."""

    @property
    def subject(self) -> str:
        """Under what name is kept in mind what the owner heard: a book has several rules, each judged by itself."""

    def notices(self, assessed: A | Unjudged, holds: Sequence[Hold]) -> tuple[Notice, ...]:
        """Return each hold as its owner reads it."""

    def standing(self, assessed: A | Unjudged) -> str:
        """Return how it stands, in a sentence; empty where nobody knows."""

    async def follow_up(self, assessed: A | Unjudged, decision: Hold | I) -> None:
        """See to what is due after the rules were heard. Raises NodeError, JournalError."""

    def rehearsals(self) -> Sequence[Rehearsal]:
        """Return the fire drill of each of its rules that act to protect it."""

    def open(self, visit: Visit[T]) -> T:
        """Hand the case over with its types; the visitor must work for every kind."""


class Visit(Protocol[T_co]):
    """A function that is generic in the kind of case."""

    def __call__(self, case: Case[A, I, R], /) -> T_co:
        """Visit a case."""


class AnyCase(Protocol):
    """A case of some kind that nobody needs to name."""

    @property
    def name(self) -> str:
        """The position's or the book's name."""

    @property
    def signer(self) -> Address:
        """Who would sign for it."""

    @property
    def wave(self) -> int:
        """When in a block it is judged."""

    def rehearsals(self) -> Sequence[Rehearsal]:
        """Return the fire drill of each of its rules that act to protect it."""

    def open(self, visit: Visit[T]) -> T:
        """Hand the case over with its types."""
