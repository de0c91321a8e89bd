"""What an owner has paused: a rule, a position or book, or everything. Nothing of it is signed; alerts go on.

A pause is kept in the journal, so that it outlives a restart, and one process may ask it of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

ALL, RULE, ABOUT = "all", "rule", "position"
KINDS = (ALL, RULE, ABOUT)
MOST = 1000
"""Pauses that are kept."""


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause: of everything, of a rule by name, or of a position or book by name. Times in seconds since 1970."""

    kind: str
    name: str
    since: int
    until: int | None = None
    """When it ends by itself; None for when its owner ends it."""

    def covers(self, position: str, rule: str) -> bool:
        """Return whether a rule about a position or book may not act."""
        return self.kind == ALL or self.name == (rule if self.kind == RULE else position)

    def is_over(self, now: int) -> bool:
        """Return whether it has ended by itself."""
        return self.until is not None and now >= self.until

    @property
    def subject(self) -> str:
        """What is paused, in words."""
        return "everything" if self.kind == ALL else f"{self.kind} {self.name}"


def holding(pauses: Iterable[Pause], position: str, rule: str, now: int) -> Pause | None:
    """Return the pause that keeps a rule from acting, None when none does."""
    return next((p for p in pauses if not p.is_over(now) and p.covers(position, rule)), None)


def with_pause(pauses: Sequence[Pause], new: Pause) -> tuple[Pause, ...]:
    """Return the pauses with one more; a pause of the same takes the place of the one before."""
    rest = [p for p in pauses if (p.kind, p.name) != (new.kind, new.name)]
    return (*rest, new)[-MOST:]


def without(pauses: Sequence[Pause], kind: str, name: str) -> tuple[Pause, ...]:
    """Return the pauses without one; to resume everything ends them all."""
    return () if kind == ALL else tuple(p for p in pauses if (p.kind, p.name) != (kind, name))


def key_of(chain_id: int, network: str) -> str:
    """Return the name under which the pauses of one chain are kept."""
    return f"paused:{chain_id}:{network}"


def plain(pauses: Sequence[Pause]) -> list[dict[str, Any]] | None:
    """Return pauses as JSON can hold them; None for none."""
    return [asdict(p) for p in pauses] or None


def from_plain(written: Any) -> tuple[Pause, ...]:
    """Return pauses from what was written down; what cannot be read pauses everything: unknown is no leave.

    Only what this program wrote is there: such a row is a defect, or another hand's.
    """
    if written is None:
        return ()
    try:
        return tuple(_pause(one) for one in (written if isinstance(written, list) else [written]))
    except (TypeError, ValueError, KeyError):
        return (Pause(ALL, "", 0),)


def _pause(of: Any) -> Pause:
    kind, name, since, until = of["kind"], of["name"], of["since"], of["until"]
    if kind not in KINDS or not isinstance(name, str):
        raise ValueError(kind)
    return Pause(kind, name, int(since), None if until is None else int(until))
