"""How a position or a book stands, in a sentence, whatever it is."""

from __future__ import annotations

from keeper.core.lending.rules import LendingAssessment
from keeper.core.rules import Unjudged
from keeper.engine.lending import notices as lending
from keeper.engine.perp import notices as perp
from keeper.engine.result import AnyAssessment


def standing(of: AnyAssessment | Unjudged) -> str:
    """Return how it stands; empty where nobody knows."""
    if isinstance(of, LendingAssessment | Unjudged):
        return lending.standing_of(of)
    return perp.standing_of(of)
