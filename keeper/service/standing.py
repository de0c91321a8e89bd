"""How positions and books stand, whatever they are: one in a sentence, all in a line, each by its figure."""

from __future__ import annotations

from keeper.core.book.rules import BookAssessment
from keeper.core.decide import NEEDLESS, Hold, asked_for
from keeper.core.family import Family
from keeper.core.lending.rules import LendingAssessment
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.units import ratio_text
from keeper.engine.lending import notices as lending
from keeper.engine.perp import notices as perp
from keeper.engine.result import AnyAssessment, Result

AWAY = (Reason.NODE_AWAY, Reason.NODES_DISAGREE, Reason.JOURNAL_AWAY)
"""Why nothing could be seen, or written down, that is no position's own fault."""


def is_in_the_dark(results: tuple[Result, ...]) -> bool:
    """Return whether nothing of what is kept could be seen to: such a block was not judged to its end."""
    judged = [r.assessed for r in results]
    return bool(judged) and all(isinstance(of, Unjudged) and of.doubt.reason in AWAY for of in judged)


def standing(of: AnyAssessment | Unjudged) -> str:
    """Return how it stands; empty where nobody knows."""
    if isinstance(of, LendingAssessment | Unjudged):
        return lending.standing_of(of)
    return perp.standing_of(of)


def shortly(results: tuple[Result, ...]) -> str:
    """Return in a few words how all stands: for a line of status."""
    lowest = sorted(health(results).items(), key=lambda one: one[1])[:3]
    unknown = sum(isinstance(r.assessed, Unjudged) for r in results)
    words = [f"{name} {ratio_text(health)}" for name, health in lowest]
    return ", ".join([*words, *([f"{unknown} unknown"] if unknown else [])]) or "watching"


def needless(results: tuple[Result, ...]) -> set[str]:
    """Return the positions, and the books under all their rules, that no rule asks anything for but an alert."""
    held = [r for r in results if isinstance(r.decision, Hold)]
    at_rest = {id(r) for r in held if asked_for(r.holds).reason in NEEDLESS}
    return {r.name for r in results} - {r.name for r in results if id(r) not in at_rest}


def margins(results: tuple[Result, ...]) -> dict[str, int]:
    """Return the margin ratio of each perpetual position that has something open."""
    return _headlines(results, Family.PERP)


def deltas(results: tuple[Result, ...]) -> dict[str, int]:
    """Return the delta of each book, in doubt or not."""
    return {r.name: r.assessed.delta for r in results if isinstance(r.assessed, BookAssessment)}


def health(results: tuple[Result, ...]) -> dict[str, int]:
    """Return the health factor of each loan."""
    return _headlines(results, Family.LENDING)


def _headlines(results: tuple[Result, ...], family: Family) -> dict[str, int]:
    """Return the figure that owners go by, of each of a family that could be judged and has one."""
    judged = [(r.name, r.assessed) for r in results if r.family is family]
    found = [(name, of.headline) for name, of in judged if not isinstance(of, Unjudged)]
    return {name: figure for name, figure in found if figure is not None}
