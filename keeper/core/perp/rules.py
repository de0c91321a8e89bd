"""The owner's rules for perpetual positions, and what they say of one at one block."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.actions import Action
from keeper.core.perp import margin as perps
from keeper.core.perp.metrics import PerpTarget, PerpTrigger
from keeper.core.perp.position import PerpFigures, PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Limits, Unjudged
from keeper.core.snapshot import Unreadable
from keeper.core.trail import Trail
from keeper.core.units import decimal_of


@dataclass(frozen=True, slots=True)
class PerpRule:
    """A trigger, a different target, and the actions the owner allows to get there."""

    name: str
    position: str
    trigger: PerpTrigger
    target: PerpTarget | None
    actions: tuple[Action, ...]
    cooldown_s: int
    limits: Limits
    rests: bool = False
    """Whether a stop order with the venue stands in for the rule while the keeper is away."""

    @property
    def is_boost(self) -> bool:
        """Never: no perp rule adds leverage."""
        return False


@dataclass(frozen=True, slots=True)
class PerpVerdict:
    """One rule on one position: the measured value and whether the trigger fired."""

    rule: PerpRule
    measured: int | None
    fired: bool
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class PerpAssessment:
    """One position judged: figures, every rule's verdict, and the doubts that forbid trading."""

    position: PerpPosition
    figures: PerpFigures
    verdicts: tuple[PerpVerdict, ...]
    doubts: tuple[Doubt, ...]

    @property
    def fired(self) -> tuple[PerpRule, ...]:
        """The rules that fired, in the order the owner wrote them."""
        return tuple(v.rule for v in self.verdicts if v.fired)


def assess_perp(
    position: PerpPosition | Unreadable,
    rules: tuple[PerpRule, ...],
    trail: Trail,
    doubts: tuple[Doubt, ...],
    *,
    may_be_empty: bool = False,
) -> PerpAssessment | Unjudged:
    """Judge a position by its rules. Our figures must equal the venue's own; ``trail`` includes this block.

    ``may_be_empty``: that there is nothing is no mistake in the settings, for it was seen before, or is a hedge.
    """
    if isinstance(position, Unreadable):
        return Unjudged(position.name, position.doubt)
    if position.is_empty and not may_be_empty:
        return Unjudged(position.name, Doubt(Reason.NO_POSITION, f"{position.owner} has no size and no margin"))
    figures = perps.figures(position)
    if figures != position.reported:
        ours, theirs = (_figures_text(position, of) for of in (figures, position.reported))
        return Unjudged(position.name, Doubt(Reason.FIGURES_DISAGREE, f"ours {ours}, venue's {theirs}"))
    verdicts = tuple(_judge(rule, position, trail) for rule in rules if rule.position == position.name)
    return PerpAssessment(position, figures, verdicts, doubts)


def _figures_text(position: PerpPosition, of: PerpFigures) -> str:
    """Return worth and requirement with every digit: a difference of one must show."""
    digits = len(str(position.usd_unit)) - 1
    return f"equity ${decimal_of(of.equity, digits)} over ${decimal_of(of.requirement, digits)}"


def _judge(rule: PerpRule, position: PerpPosition, trail: Trail) -> PerpVerdict:
    """Return what a rule measures, or why it measures nothing: a rule that looks nowhere is never at rest.

    A position without size has nothing to be measured, which is no doubt; a market it does not have is.
    """
    found = rule.trigger.metric.measure(position, trail.seen(rule.name), rule.trigger.of)
    if isinstance(found, Doubt):
        return PerpVerdict(rule, None, fired=False, doubt=Doubt(found.reason, f"rule {rule.name}: {found.detail}"))
    return PerpVerdict(rule, found, fired=found is not None and rule.trigger.fires_at(found, position))
