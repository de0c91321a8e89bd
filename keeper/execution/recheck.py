"""What to do with a transaction that is not mined when its offer must be raised: look again before paying more. Pure.

Nobody else asks this question: a bot that bumps blindly pays a crash price for a rescue that is no longer needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keeper.core.decide import NEEDLESS, Hold
from keeper.core.reasons import Reason
from keeper.core.units import BPS, Wei

SAME_WITHIN = 200
"""Basis points by which amounts may differ before a plan counts as another one: smaller changes are not worth it."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Still right: offer more, up to ``ceiling``."""

    ceiling: Wei | None


@dataclass(frozen=True, slots=True)
class Drop:
    """No longer needed: cancel."""

    why: Reason


@dataclass(frozen=True, slots=True)
class Change:
    """Needed, but otherwise: replace with another plan at the same nonces."""


@dataclass(frozen=True, slots=True)
class Unsure:
    """Nobody can confirm it: it waits at what it offers, and nothing more is bid until somebody can."""

    reason: Reason
    detail: str = ""


Verdict = Keep | Drop | Change | Unsure

UNKNOWN = (Reason.POSITION_UNREADABLE, Reason.FIGURES_DISAGREE, Reason.NODES_DISAGREE, Reason.NODE_AWAY)
"""Holds that say nothing of the position."""
CALLED_OFF = (*NEEDLESS, Reason.PAUSED)
"""Holds at which a plan that has not begun is taken back: it is needless, or its owner paused it."""


class Weighed(Protocol):
    """A plan of whatever kind: what it does, and how much of it."""

    @property
    def weights(self) -> Sequence[tuple[object, int]]:
        """Move by move, without approvals, which follow from the rest."""


def verdict(sent: Weighed, now: Weighed | Hold, ceiling: Wei | None, *, has_begun: bool) -> Verdict:
    """Return what becomes of a plan on its way, given what would be decided now.

    Once a transaction of the burst is mined (``has_begun``) it is finished: half a round is worse than none. A Hold
    that says the position needs nothing, or that its owner paused it, drops the plan. One that says nothing is known of
    it is no reason to give up a rescue that was rehearsed, and none to pay more for it; any other (a price in doubt, a
    limit) keeps it.
    """
    if has_begun:
        return Keep(ceiling)
    if isinstance(now, Hold):
        if now.reason in UNKNOWN:
            return Unsure(now.reason, now.detail)
        return Drop(now.reason) if now.reason in CALLED_OFF else Keep(ceiling)
    return Keep(ceiling) if is_same(sent, now) else Change()


def is_same(a: Weighed, b: Weighed) -> bool:
    """Return whether two plans make the same moves with nearly the same amounts."""
    ours, theirs = a.weights, b.weights
    if [kind for kind, _ in ours] != [kind for kind, _ in theirs]:
        return False
    return all(abs(x - y) * BPS <= max(x, y) * SAME_WITHIN for (_, x), (_, y) in zip(ours, theirs, strict=True))
