"""Rules, assessments and intents of books, by their short names."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core import decide, rules
from keeper.core.actions import Action
from keeper.core.book.actions import ADD_MARGIN, UNWIND
from keeper.core.book.metrics import DELTA
from keeper.core.book.position import BookPosition, Exposure
from keeper.core.book.unhedged import Naked
from keeper.core.prices import Doubt

BookRule = rules.Rule[BookPosition]


def underlying_of(rule: BookRule) -> str:
    """Return what a rule holds within its band."""
    return rule.trigger.of.symbol or ""


def goal_of(rule: BookRule) -> int:
    """Return where a rule brings the delta, Wad whole underlyings; one that only alerts looks at zero."""
    return rule.target.value if rule.target else 0


def may_add_margin(rule: BookRule) -> bool:
    """Return whether a hedge that grows may be given margin."""
    return ADD_MARGIN in rule.actions


def subject_of(rule: BookRule) -> str:
    """Return under what name is kept in mind what was written: a book has several rules, each judged by itself."""
    return f"{rule.position}:{rule.name}"


@dataclass(frozen=True)
class BookAssessment(rules.Assessment[BookPosition]):
    """One book judged by one rule: its delta, whether it left the band, and what speaks against trading."""

    @property
    def rule(self) -> BookRule:
        """The one rule it is judged by: how long it stands unhedged is counted for each."""
        return self.verdicts[0].rule

    @property
    def exposure(self) -> Exposure:
        """What the book is exposed to."""
        return self.position.exposure

    @property
    def naked(self) -> Naked:
        """How long it has been outside the rule's band."""
        return self.position.naked

    @property
    def delta(self) -> int:
        """Its delta, Wad whole underlyings; where it is in doubt, what is known of it."""
        return self.exposure.delta(underlying_of(self.rule))

    @property
    def holds_delta(self) -> bool:
        """Whether its rule holds the delta of an underlying; others look at the book as a whole, and alert."""
        return self.rule.trigger.metric is DELTA

    @property
    def headline(self) -> int | None:
        """The figure that its owner goes by: its delta; None where it leaves somebody out."""
        return None if self.exposure.doubts or not self.holds_delta else self.delta

    @property
    def wanted(self) -> int:
        """What is missing to the target, signed: so much is to be bought."""
        return goal_of(self.rule) - self.delta

    @property
    def is_outside(self) -> bool:
        """Whether the delta lies outside the band, in doubt or not."""
        return self.rule.trigger.fires_at(self.delta) if self.holds_delta else self.verdicts[0].fired

    @property
    def unwinds(self) -> str | None:
        """The lending position that is unwound when the hedge cannot be had within the budget."""
        return self.exposure.book.unwinds if UNWIND in self.rule.actions else None

    def doubt_against(self, action: Action) -> Doubt | None:
        """Return what forbids every trade: margin alone brings no delta back."""
        return next(iter(self.doubts), None)


@dataclass(frozen=True, slots=True)
class BookIntent(decide.Intent[BookPosition]):
    """A book left its band and may be brought back, by whichever of its hedges does it best."""

    assessment: BookAssessment

    @property
    def subject(self) -> str:
        """The book under its rule."""
        return subject_of(self.rule)
