"""Rules, verdicts, assessments and intents of perpetual positions, by their short names."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core import decide, rules
from keeper.core.perp.margin import margin_ratio
from keeper.core.perp.position import PerpFigures, PerpPosition

PerpRule = rules.Rule[PerpPosition]
PerpVerdict = rules.Verdict[PerpPosition]


@dataclass(frozen=True)
class PerpAssessment(rules.Assessment[PerpPosition]):
    """One perpetual position judged."""

    @property
    def headline(self) -> int | None:
        """The figure that its owner goes by: its margin ratio; None where nothing is open."""
        return margin_ratio(self.position) if self.position.held else None

    @property
    def figures(self) -> PerpFigures:
        """The venue's own figures, and ours."""
        return self.position.reported


@dataclass(frozen=True, slots=True)
class PerpIntent(decide.Intent[PerpPosition]):
    """A rule of a perpetual position that may be acted on."""

    assessment: PerpAssessment

    @property
    def perp(self) -> PerpPosition:
        """The position that is traded."""
        return self.assessment.position
