"""From an assessment to a decision: hold with a reason, or an intent to act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from keeper.core.actions import Action
from keeper.core.held_back import Memory, left_today, not_now
from keeper.core.metrics import P, Target
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import A, Assessment, I, Kind, Rule, Unjudged
from keeper.core.units import Address, Bps, Usd, Wad, Wei

NO_GAS = Wei(0)


@dataclass(frozen=True, slots=True)
class Safety:
    """The owner's bounds that hold for every rule."""

    health_floor: Wad
    """No step of a plan may leave the health factor below this."""
    emergency_health: Wad
    """At or below this health factor a cooldown no longer holds a rescue back."""
    max_rounds: int
    """Rounds of withdraw, swap, repay in one plan."""
    capital_cost: Bps
    """What it costs to tie up wallet funds, for weighing a top-up against a sale: share of the amount."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A refusal to act, with its reason. A refusal is a result."""

    position: str
    rule: str | None
    reason: Reason
    detail: str = ""
    is_boost: bool = False

    @property
    def leaves_in_danger(self) -> bool:
        """Whether a rule that protects fired and nothing could be done."""
        is_told_only = self.reason in (Reason.ALERT_ONLY, Reason.COOLDOWN)
        return self.rule is not None and not self.is_boost and not self.is_quiet and not is_told_only

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is wrong: the owner need not hear of it. A rescue that its cooldown holds back is not."""
        if self.reason is Reason.COOLDOWN:
            return self.is_boost
        return self.reason in (
            Reason.HEALTHY,
            Reason.CLOSED,
            Reason.AT_TARGET,
            Reason.UNMEASURED,
            Reason.IN_FLIGHT,
            Reason.ORDER_PENDING,
            Reason.RESCUE_FIRST,
        )


@dataclass(frozen=True, slots=True)
class Intent(Generic[P]):
    """A rule fired and may be acted on: with these actions, within this budget."""

    assessment: Assessment[P]
    rule: Rule[P]
    target: Target[P]
    actions: tuple[Action, ...]
    forbidden: tuple[tuple[Action, Doubt], ...]
    left_today: Usd | None
    gas_paid: Wei = NO_GAS
    """What gas has cost since this danger began."""
    outrun: int = 0
    """Plans of this danger that the price outran: each lets the next give more, up to the owner's worst."""
    finishes: bool = False
    """Whether it only makes up for what an earlier plan of the rule came short of: its trigger may be past."""

    @property
    def position(self) -> str:
        """The position's name."""
        return self.assessment.position.name

    @property
    def subject(self) -> str:
        """Under what name is kept in mind what the owner heard."""
        return self.position

    def hold(self, reason: Reason, detail: str = "") -> Hold:
        """Return the refusal this intent ends in."""
        return Hold(self.position, self.rule.name, reason, detail, self.rule.is_boost)


I_co = TypeVar("I_co", covariant=True)


@dataclass(frozen=True)
class Decided(Generic[I_co]):
    """What every fired rule of one position or book came to, each under its own name, in the order they are heard.

    One of the ``intents`` is acted on: the first for which a way is found. Every hold is reported, whoever acts:
    an alert is independent of actions, and no rule speaks for another.
    """

    outcomes: tuple[Hold | I_co, ...]
    """Never empty: where nothing fired, one Hold says so."""

    @cached_property
    def intents(self) -> tuple[I_co, ...]:
        """The rules that may act, in the order they are tried: one that finds no way never hides the next."""
        return tuple(o for o in self.outcomes if not isinstance(o, Hold))

    @cached_property
    def holds(self) -> tuple[Hold, ...]:
        """Every alert and every refusal."""
        return tuple(o for o in self.outcomes if isinstance(o, Hold))

    @property
    def lead(self) -> Hold | I_co:
        """What it comes to in one word: the first intent, else the gravest hold."""
        return self.intents[0] if self.intents else gravest(self.holds)


def gravest(holds: Sequence[Hold]) -> Hold:
    """Return the hold that matters most: a rescue that cannot be had, then what the owner must hear, then the first."""
    if len(holds) == 1:
        return holds[0]
    return max(holds, key=lambda hold: (hold.leaves_in_danger, not hold.is_quiet, hold.rule is not None))


NEEDLESS = (Reason.HEALTHY, Reason.AT_TARGET, Reason.UNMEASURED)
"""Holds that say that nothing is to be done."""


def asked_for(holds: Sequence[Hold]) -> Hold:
    """Return the gravest hold of rules that act: whether they still ask for anything. Alerts ask for nothing."""
    acting = [hold for hold in holds if hold.reason is not Reason.ALERT_ONLY]
    return gravest(acting) if acting else Hold(holds[0].position, None, Reason.HEALTHY)


def decide(
    kind: Kind[P, A, I], assessed: A | Unjudged, memory: Memory, safety: Safety, *signers: Address
) -> Decided[I]:
    """Return what each fired rule of one position asks for or why it may not, and each rule that cannot be judged.

    ``signers``: who could sign for it, of whom one has to be free.
    """
    if isinstance(assessed, Unjudged):
        return Decided((Hold(assessed.name, None, assessed.doubt.reason, assessed.doubt.detail),))
    name = assessed.position.name
    if not any(v.fired or v.doubt for v in assessed.verdicts):
        return Decided((Hold(name, None, Reason.HEALTHY),))
    deciding = _Deciding(kind, memory, safety, signers)
    fired = [deciding.outcome(rule, assessed) for rule in assessed.fired]
    blind = [
        Hold(name, v.rule.name, v.doubt.reason, v.doubt.detail, v.rule.is_boost) for v in assessed.verdicts if v.doubt
    ]
    return Decided((*fired, *blind) or (Hold(name, None, Reason.HEALTHY),))


@dataclass(frozen=True, slots=True)
class _Deciding(Generic[P, A, I]):
    """What every rule of a position is decided with."""

    kind: Kind[P, A, I]
    memory: Memory
    safety: Safety
    signers: tuple[Address, ...]

    def outcome(self, rule: Rule[P], assessed: A) -> Hold | I:
        """Return what a fired rule asks for, or why it may not."""
        position: P = assessed.position
        name = position.name
        refusal = _needless(rule, assessed) or self._not_now(rule, position)
        if refusal or rule.target is None:
            reason, detail = refusal or (Reason.ALERT_ONLY, "")
            return Hold(name, rule.name, reason, detail, rule.is_boost)
        forbidden = tuple((a, doubt) for a in rule.actions if (doubt := assessed.doubt_against(a)))
        allowed = tuple(a for a in rule.actions if a not in {a for a, _ in forbidden})
        if not allowed and forbidden:
            doubt = forbidden[0][1]
            return Hold(name, rule.name, doubt.reason, doubt.detail, rule.is_boost)
        paid = NO_GAS if rule.is_boost else self.memory.gas_paid.get(name, NO_GAS)
        left, outrun = left_today(rule, self.memory), self.memory.outrun.get((name, rule.name), 0)
        return self.kind.intended(assessed, rule, rule.target, allowed, forbidden, left, paid, outrun)

    def _not_now(self, rule: Rule[P], position: P) -> tuple[Reason, str] | None:
        """Return why it has to wait: for an order or a plan about to change it, for its cooldown, for its signer."""
        if rule.adds_leverage and self.memory.exceeded:
            return Reason.EXPOSURE_LIMIT, "; ".join(self.memory.exceeded)
        if crossing := self.memory.crossing.get((position.name, rule.name)):
            return Reason.EXPOSURE_LIMIT, f"at its target: {crossing}"
        order = self.kind.waits(position)
        if order:
            return Reason.ORDER_PENDING, order
        # whoever signs it: a plan under way for any member is about to change what is measured
        under_way = self.memory.flying | set(self.memory.busy.values())
        changing = next((name for name in self.kind.members(position) if name in under_way), None)
        if changing:
            return Reason.IN_FLIGHT, "" if changing == position.name else changing
        is_near = not rule.is_boost and self.kind.is_emergency(position, self.safety.emergency_health)
        is_new, now = is_new_danger(self.kind, rule, position, self.memory), position.block.timestamp
        return not_now(rule, position.name, now, self.memory, self.signers, is_emergency=is_near, is_new=is_new)


def _needless(rule: Rule[P], assessed: Assessment[P]) -> tuple[Reason, str] | None:
    """Return why a fired rule asks for nothing that could be done, or would fire again the moment it was done."""
    target, trigger, position = rule.target, rule.trigger, assessed.position
    if not rule.actions or target is None:
        measured = next(v.measured for v in assessed.verdicts if v.rule is rule)
        return Reason.ALERT_ONLY, trigger.detail(measured)
    is_met = not rule.adds_leverage and target.is_met(position)
    if trigger.metric.at_target is None:  # nothing of ours moves it: the rule rests once its target is met
        refusal = (Reason.AT_TARGET, str(target)) if is_met else None
    elif rule.rearranges and is_met:
        refusal = Reason.AT_TARGET, str(target)
    elif (there := trigger.at(position, target)) is None:
        refusal = Reason.RULE_UNDECIDABLE, f"nobody knows the {trigger.metric.words} at {target}"
    else:
        is_beyond = is_met or trigger.fires_at(there, position)
        refusal = (Reason.TARGET_BEYOND_TRIGGER, f"target {target}") if is_beyond else None
    return refusal or (_against(target, assessed) if rule.is_boost else None)


def _against(target: Target[P], assessed: Assessment[P]) -> tuple[Reason, str] | None:
    """Return why a boost has to wait, or would be undone: a rescue fires now, or would fire at its target."""
    p = assessed.position
    rescues = [v for v in assessed.verdicts if v.rule.actions and not v.rule.is_boost]
    if any(v.fired and not (v.rule.target and v.rule.target.is_met(p)) for v in rescues):
        return Reason.RESCUE_FIRST, ""
    for rule in (v.rule for v in rescues):
        there = rule.trigger.at(p, target)
        if there is not None and rule.trigger.fires_at(there, p):
            return Reason.TARGET_BEYOND_TRIGGER, f"rule {rule.name} would fire at {target}"
    return None


def is_new_danger(kind: Kind[P, A, I], rule: Rule[P], position: P, memory: Memory) -> bool:
    """Return whether prices are worse for a position than those on which its rule last acted. A rate is no price."""
    before = memory.acted_on.get((position.name, rule.name))
    if rule.is_boost or not before or not rule.trigger.metric.follows_prices:
        return False
    return kind.is_new_low(position, before)
