"""From a perpetual position's assessment to a decision: hold with a reason, or an intent to act."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.actions import Action
from keeper.core.decide import NEW_LOW, Decided, Hold, Memory, Safety, left_today, not_now
from keeper.core.perp import margin as perps
from keeper.core.perp.metrics import PerpTarget
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import (
    PerpAssessment,
    PerpRule,
)
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.units import BPS, WAD, Address, Usd

EMERGENCY_DISTANCE = WAD // 20
"""A position that a move of 5 % liquidates does not wait for a cooldown."""


@dataclass(frozen=True, slots=True)
class PerpIntent:
    """A rule fired and may be acted on: with these actions, within this budget."""

    assessment: PerpAssessment
    rule: PerpRule
    target: PerpTarget
    actions: tuple[Action, ...]
    forbidden: tuple[tuple[Action, Doubt], ...]
    left_today: Usd | None
    finishes: bool = False
    """Whether it only makes up for what an earlier plan of the rule came short of: its trigger may be past."""

    @property
    def position(self) -> str:
        """The position's name."""
        return self.assessment.position.name

    @property
    def perp(self) -> PerpPosition:
        """The position that is traded."""
        return self.assessment.position

    def hold(self, reason: Reason, detail: str = "") -> Hold:
        """Return the refusal this intent ends in."""
        return Hold(self.position, self.rule.name, reason, detail)


def decide_perp(
    assessed: PerpAssessment | Unjudged, memory: Memory, safety: Safety, signer: Address
) -> Decided[PerpIntent]:
    """Return what each fired rule of one position asks for or why it may not, and each rule that cannot be judged."""
    if isinstance(assessed, Unjudged):
        return Decided((Hold(assessed.name, None, assessed.doubt.reason, assessed.doubt.detail),))
    name = assessed.position.name
    found = [_decide_rule(rule, assessed, memory, safety, signer) for rule in assessed.fired]
    found += [Hold(name, v.rule.name, v.doubt.reason, v.doubt.detail) for v in assessed.verdicts if v.doubt]
    return Decided(tuple(found) or (Hold(name, None, Reason.HEALTHY),))


def pending_order(position: PerpPosition) -> str | None:
    """Return the key of an order that waits for the venue's keepers, not for a price; None if there is none."""
    return next((order.key for order in position.orders if not order.kind.rests and not order.is_frozen), None)


def is_emergency(position: PerpPosition, safety: Safety) -> bool:
    """Return whether liquidation is so near that nothing holds a rescue back."""
    if not position.held:
        return False
    near = perps.equity(position) * WAD <= perps.requirement(position) * safety.emergency_health
    return near or perps.liquidation_distance(position) <= EMERGENCY_DISTANCE


def is_new_low(rule: PerpRule, position: PerpPosition, memory: Memory) -> bool:
    """Return whether prices are worse for the position as it is now than those on which the rule last acted.

    A cooldown keeps a rule from going back and forth; a market that goes on against the position is a new danger.
    Funding is no price.
    """
    before = memory.acted_on.get((position.name, rule.name))
    if not before or not rule.trigger.metric.follows_prices:
        return False
    then = position
    for leg in position.held:
        then = perps.at_price(then, leg.market, before.get(leg.market, leg.mark_price))
    return (perps.equity(then) - perps.equity(position)) * BPS > perps.basis(position) * NEW_LOW


def _decide_rule(
    rule: PerpRule, assessed: PerpAssessment, memory: Memory, safety: Safety, signer: Address
) -> Hold | PerpIntent:
    position = assessed.position
    refusal = _needless(rule, assessed) or _waits(position)
    if refusal is None:
        now, is_near = position.block.timestamp, is_emergency(position, safety)
        is_new = is_new_low(rule, position, memory)
        refusal = not_now(rule, position.name, now, memory, signer, is_emergency=is_near, is_new=is_new)
    if refusal or rule.target is None:
        reason, detail = refusal or (Reason.ALERT_ONLY, "")
        return Hold(position.name, rule.name, reason, detail)
    doubt = assessed.doubts[0] if assessed.doubts else None
    forbidden = tuple((a, doubt) for a in rule.actions if a.trades and doubt)
    allowed = tuple(a for a in rule.actions if not (a.trades and doubt))
    if not allowed and doubt:
        return Hold(position.name, rule.name, doubt.reason, doubt.detail)
    return PerpIntent(assessed, rule, rule.target, allowed, forbidden, left_today(rule, memory))


def _needless(rule: PerpRule, assessed: PerpAssessment) -> tuple[Reason, str] | None:
    """Return why a fired rule asks for nothing that could be done."""
    if not rule.actions or rule.target is None:
        value = next(v.measured for v in assessed.verdicts if v.rule is rule)
        return Reason.ALERT_ONLY, rule.trigger.metric.text(value)
    is_met, trigger = rule.target.is_met(assessed.position), rule.trigger
    if trigger.metric.at_target is None:  # nothing of ours moves it: the rule rests once its target is met
        return (Reason.AT_TARGET, str(rule.target)) if is_met else None
    there = trigger.at(assessed.position, rule.target)
    if there is None:
        return Reason.RULE_UNDECIDABLE, f"nobody knows the {trigger.metric.words} at {rule.target}"
    if is_met or trigger.fires_at(there, assessed.position):
        return Reason.TARGET_BEYOND_TRIGGER, f"target {rule.target}"
    return None


def _waits(position: PerpPosition) -> tuple[Reason, str] | None:
    """Return that an order of the account waits for the venue: what it will do is not known yet."""
    key = pending_order(position)
    return (Reason.ORDER_PENDING, key) if key else None
