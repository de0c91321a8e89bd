"""What the owner hears of a rule at one block: a title, a body, and when it is news. Pure data and plain words."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.decide import Hold
from keeper.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Notice:
    """One hold in words. The owner hears of it unless the hold is quiet; the log has it either way."""

    hold: Hold
    title: str
    body: str
    name: str
    """What it is called once it is over."""
    repeat_s: float | None = None
    """How often it is said again while it lasts; None for the owner's usual."""
    distance: int | None = None
    """How far from liquidation the position is (Wad share): nearer is news."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a plan of a rule ended."""

    position: str
    rule: str | None
    label: str
    kind: str
    reason: Reason
    detail: str

    @property
    def is_well(self) -> bool:
        """Whether it did what it could, or was not needed any more: no fault."""
        return self.kind in ("restored", "partial", "rehearsed", "cancelled")


def sentence(*parts: str) -> str:
    """Return parts as sentences: each begins in upper case and ends with one stop or mark; empty ones are left out."""
    whole = [part.strip().rstrip(".") for part in parts]
    return " ".join(f"{part[0].upper()}{part[1:]}{'' if part[-1] in '?!' else '.'}" for part in whole if part)


def printable(text: str) -> str:
    """Return a text in one line, with nothing that a terminal obeys or that turns its reading direction."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
