"""What a venue asks of a chain, and what it makes of the answers: calls out, answers in."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import Address

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Read:
    """One call to be answered at a block. ``gas`` is what it takes, roughly: it bounds how many go together."""

    to: Address
    data: bytes
    gas: int = field(default=10_000, compare=False)


Answer = bytes | None
"""What a read returned; None when it reverted or nothing lives at the address."""


@dataclass(frozen=True, slots=True)
class Probe(Generic[T]):
    """Reads that belong together, and what their answers mean. ``decode`` takes as many answers as there are reads."""

    reads: tuple[Read, ...]
    decode: Callable[[Sequence[Answer]], T]


Discovery = Generator[tuple[Read, ...], Sequence[Answer], T]
"""Reads in several rounds: yields reads, is sent their answers, returns what it found."""


class ReadFailedError(Exception):
    """An answer that a figure depends on is missing or makes no sense: the position is unknown, never healthy."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(f"{doubt.reason.short}: {doubt.detail}")
        self.doubt = doubt


class ScopeOutdatedError(ReadFailedError):
    """The account uses something that was not read (a new reserve, another e-mode): discover it again."""

    def __init__(self) -> None:
        super().__init__(Doubt(Reason.POSITION_UNREADABLE, "the account uses what it did not use before; read again"))


class PricesMovedError(ScopeOutdatedError):
    """The figures were asked at prices that have moved since: read the block once more, with the new ones."""

    def __init__(self) -> None:
        what = "prices moved while the position was read; read again"
        ReadFailedError.__init__(self, Doubt(Reason.POSITION_UNREADABLE, what))


class TornReadError(PricesMovedError):
    """A node answered from two blocks in one call, as some do while one is made: asking again will do."""

    def __init__(self) -> None:
        what = "the node answered from two blocks at once; read again"
        ReadFailedError.__init__(self, Doubt(Reason.POSITION_UNREADABLE, what))


def joined(probes: Sequence[Probe[T]]) -> Probe[tuple[T, ...]]:
    """Return one probe that reads all and decodes each with its own answers."""
    ends = [0]
    for probe in probes:
        ends.append(ends[-1] + len(probe.reads))

    def decode(answers: Sequence[Answer]) -> tuple[T, ...]:
        return tuple(p.decode(answers[ends[i] : ends[i + 1]]) for i, p in enumerate(probes))

    return Probe(tuple(read for probe in probes for read in probe.reads), decode)
