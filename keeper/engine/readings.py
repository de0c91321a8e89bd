"""A position of which another node says otherwise: both readings are judged, and the worse of the two binds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keeper.core.metrics import P
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import A, Unjudged
from keeper.core.snapshot import Snapshot, Unreadable

Reading = tuple[P | Unreadable, tuple[Doubt, ...]]
"""A position, and what speaks against trading on it."""


def readings(snapshot: Snapshot, position: P | Unreadable, kind: type[P]) -> tuple[Reading[P], ...]:
    """Return what is to be judged: what was read; and where another node says otherwise, what it says beside it.

    Then nothing may be traded: what adds money alone is right for either.
    """
    other = snapshot.otherwise.get(position.name)
    if other is None or not isinstance(other.position, kind | Unreadable):
        return ((position, ()),)
    doubt = (Doubt(Reason.NODES_DISAGREE, other.detail),)
    return (position, doubt), (other.position, doubt)


def binding(judged: Sequence[A | Unjudged], figure: Callable[[A], int]) -> A | Unjudged:
    """Return the reading with less of the figure, of those that could be judged; else why none could."""
    known = [one for one in judged if not isinstance(one, Unjudged)]
    return min(known, key=figure) if known else judged[-1]
