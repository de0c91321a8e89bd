"""What a rule is, and what the rules say of a position at one block. Pure, and generic in what it is about.

``P`` is a kind of position. Nothing here or above asks which kind it has: what differs is in a ``Kind``, a value, so
that a test or a later venue adds a metric or an action with ``replace``.

    Rule        a trigger, a different target, the actions allowed, limits
    Kind        what the story needs to know of a kind of position
    assess      position + rules -> Assessment (a Verdict for each rule), or Unjudged
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from keeper.core.actions import Action
from keeper.core.metrics import Metric, P, Target, Trigger
from keeper.core.pace import Drift
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import Unreadable
from keeper.core.trail import Trail
from keeper.core.units import Address, Bps, Usd, Wad, Wei

WORST_OF_USUAL = 10
NO_RATIO = Wad(0)
WEEK_S = 7 * 86_400
ORDERED = "keeper panic"
"""How the rule is called that its owner's own order puts in force."""
MOST_SLIPPAGE = 2_000
"""Basis points: no settings file may allow more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rule may spend. None means no limit of the rule's own."""

    max_slippage: Bps
    """The usual: what a trade may lose against the oracle's price."""
    max_spend_per_tx: Usd | None = None
    max_spend_per_day: Usd | None = None
    max_fee: Wei | None = None
    """Highest fee per gas."""
    max_cost: Bps | None = None
    """What rearranging may cost, gas and trading together, as a share of what it moves."""
    worst_slippage: Bps | None = None
    """What a rescue may lose at the edge of liquidation; None: derived from the usual."""
    least_margin_ratio: Wad = NO_RATIO
    """What no trade of the rule may take the margin ratio of a hedge below."""

    @property
    def worst(self) -> Bps:
        """The owner's worst, never tighter than the usual; left out: ten times the usual, at most a fifth."""
        derived = min(WORST_OF_USUAL * self.max_slippage, MOST_SLIPPAGE)
        return Bps(max(self.max_slippage, derived if self.worst_slippage is None else self.worst_slippage))


@dataclass(frozen=True, slots=True)
class Rule(Generic[P]):
    """A trigger, a different target, and the actions the owner allows to get there. Without actions it only alerts."""

    name: str
    position: str
    trigger: Trigger[P]
    target: Target[P] | None
    actions: tuple[Action, ...]
    cooldown_s: int
    limits: Limits
    rests: bool = False
    """Whether an order with the venue stands in for the rule while the keeper is away."""
    horizon_s: int = WEEK_S
    """How long what it opens is thought to be held, when what holding it costs is weighed."""
    every_s: int = 0
    """It acts at most once in so many seconds, whatever its cooldown; zero for a rule without a schedule."""
    into: tuple[str, ...] = ()
    """What may be swapped into, as the owner names it; nothing named: whatever the market lists for the position."""

    @property
    def is_boost(self) -> bool:
        """Whether the rule protects nothing: it adds leverage, or rearranges what is there. Rescues go first."""
        return self.adds_leverage or self.rearranges

    @property
    def adds_leverage(self) -> bool:
        """Whether the rule adds leverage rather than taking it away."""
        return any(action.adds_leverage for action in self.actions)

    @property
    def rearranges(self) -> bool:
        """Whether the rule moves what is there into other assets."""
        return any(action.reaches for action in self.actions)

    @property
    def is_ordered(self) -> bool:
        """Whether its owner ordered it: no pause holds it, and more than liquidation is at stake."""
        return self.name == ORDERED


@dataclass(frozen=True, slots=True)
class Verdict(Generic[P]):
    """One rule on one position: the measured value and whether the trigger fired."""

    rule: Rule[P]
    measured: int | None
    fired: bool
    doubt: Doubt | None = None


@dataclass(frozen=True)
class Assessment(Generic[P]):
    """One position judged: every rule's verdict, and what forbids trading. Its figures are the venue's own."""

    position: P
    verdicts: tuple[Verdict[P], ...]
    doubts: tuple[Doubt, ...]
    """What forbids every trade of this position."""
    doubted: Mapping[Address, tuple[Doubt, ...]] = field(default_factory=dict)
    """Assets whose own price is in doubt: each binds trades of that asset alone, and those that it forbids."""
    drifts: Mapping[Address, Drift] = field(default_factory=dict)
    """How fast prices move now."""

    @property
    def fired(self) -> tuple[Rule[P], ...]:
        """The rules that fired: the ones that make the position safer first, in the order the owner wrote them."""
        rules = [verdict.rule for verdict in self.verdicts if verdict.fired]
        if not rules:
            return ()
        return tuple(sorted(rules, key=lambda rule: rule.is_boost))

    def doubt_against(self, action: Action) -> Doubt | None:
        """Return what forbids every trade an action could make here; None where one is free of doubt."""
        return next(iter(self.doubts), None) if action.trades else None


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A position no rule can be applied to; never taken for a healthy one."""

    name: str
    doubt: Doubt


A = TypeVar("A", bound=Assessment[Any])
A_co = TypeVar("A_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)
I = TypeVar("I")  # noqa: E741 - an intent, as A is an assessment
I_co = TypeVar("I_co", covariant=True)


class Judged(Protocol[P, A_co]):
    """Makes an assessment of a kind."""

    def __call__(
        self,
        position: P,
        verdicts: tuple[Verdict[P], ...],
        doubts: tuple[Doubt, ...],
        doubted: Mapping[Address, tuple[Doubt, ...]],
        drifts: Mapping[Address, Drift],
    ) -> A_co:
        """Return the assessment."""


class Intended(Protocol[P, A_contra, I_co]):
    """Makes an intent of a kind."""

    def __call__(
        self,
        assessment: A_contra,
        rule: Rule[P],
        target: Target[P],
        actions: tuple[Action, ...],
        forbidden: tuple[tuple[Action, Doubt], ...],
        left_today: Usd | None,
        gas_paid: Wei,
        outrun: int,
    ) -> I_co:
        """Return the intent."""


def _nobody(_position: object) -> tuple[str, ...]:
    return ()


def _able(_rule: object, _position: object) -> Doubt | None:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[P, A, I]):
    """What the story needs to know of a kind of position: a value, so that a metric is added with ``replace``."""

    nothing: Callable[[P], str | None]
    """What is missing where nothing is there to be kept; None where something is."""
    metrics: Mapping[str, Metric[P]]
    actions: Mapping[str, Action]
    closed: Callable[[str | None], Target[P]] | None
    """What "close" means, of a market where one is named; None where there is nothing to be closed."""
    disagrees: Callable[[P], str | None]
    """How our figures differ from the venue's own; None where they are the same, to the unit."""
    waits: Callable[[P], str | None]
    """The order that waits for the venue: what it will do is not known yet."""
    liquidated_at: Callable[[P], Target[P]] | None
    """Where liquidation begins; None for what nobody liquidates."""
    is_emergency: Callable[[P, Wad], bool]
    """Whether liquidation is so near that nothing holds a rescue back, given the owner's bound."""
    is_new_low: Callable[[P, Mapping[Address, int]], bool]
    """Whether prices are worse for the position as it is now than those that a rule last acted on."""
    judged: Judged[P, A]
    intended: Intended[P, A, I]
    exited: Target[P] | None = None
    """What "exit" means: nothing owed and nothing left; None where there is no such thing."""
    members: Callable[[P], tuple[str, ...]] = _nobody
    """Positions and books whose plans change it, whoever signs them: one under way is waited for."""
    unable: Callable[[Rule[P], P], Doubt | None] = _able
    """Why a rule that rests could do nothing if it fired: it is as good as one that measures nothing."""


def assess(
    kind: Kind[P, A, I],
    position: P | Unreadable,
    rules: Sequence[Rule[P]],
    doubts: tuple[Doubt, ...],
    doubted: Mapping[Address, tuple[Doubt, ...]] | None = None,
    drifts: Mapping[Address, Drift] | None = None,
    trail: Trail | None = None,
    *,
    may_be_empty: bool = False,
) -> A | Unjudged:
    """Judge a position by its rules. Our figures must be the venue's own, to the unit; ``trail`` includes this block.

    ``may_be_empty``: that there is nothing is no mistake in the settings, for it was seen before, or is a hedge.
    """
    if isinstance(position, Unreadable):
        return Unjudged(position.name, position.doubt)
    nothing = None if may_be_empty else kind.nothing(position)
    if nothing is not None:
        return Unjudged(position.name, Doubt(Reason.NO_POSITION, nothing))
    difference = kind.disagrees(position)
    if difference is not None:
        return Unjudged(position.name, Doubt(Reason.FIGURES_DISAGREE, difference))
    return judge(kind, position, rules, doubts, doubted, drifts, trail)


def judge(
    kind: Kind[P, A, I],
    position: P,
    rules: Sequence[Rule[P]],
    doubts: tuple[Doubt, ...],
    doubted: Mapping[Address, tuple[Doubt, ...]] | None = None,
    drifts: Mapping[Address, Drift] | None = None,
    trail: Trail | None = None,
) -> A:
    """Judge a position whose figures are beyond question by its rules."""
    seen, name = trail or NO_TRAIL, position.name
    verdicts = tuple(verdict_of(kind, rule, position, seen) for rule in rules if rule.position == name)
    return kind.judged(position, verdicts, doubts, doubted or {}, drifts or {})


NO_TRAIL = Trail()


def looks_ahead(rule: Rule[P]) -> bool:
    """Return whether a rule rests on how prices moved: by its trigger, by a bound that widens, or by its target."""
    trigger, target = rule.trigger, rule.target
    if rule.rearranges and len(rule.into) != 1:  # into what moves least
        return True
    return trigger.metric.looks_ahead or trigger.widening is not None or bool(target and target.metric.looks_ahead)


def too_late(kind: Kind[P, A, I], rule: Rule[P], position: P) -> str | None:
    """Return that a rule still rests where liquidation begins; None where it fires before, or nobody knows."""
    trigger, metric = rule.trigger, rule.trigger.metric
    if kind.liquidated_at is None:
        return None
    there = trigger.at(position, kind.liquidated_at(position))
    if there is None or trigger.side is not metric.risk or trigger.fires_at(there, position):
        return None
    return f"fires too late: the position is liquidated at {metric.words} {metric.unit.text(there)} already"


def verdict_of(kind: Kind[P, A, I], rule: Rule[P], position: P, trail: Trail) -> Verdict[P]:
    """Return what a rule measures, or why it measures nothing: a rule that looks nowhere is never at rest.

    Where nothing is there to be measured (no size, no debt) it is no doubt; what the position does not have is one.
    """
    rule, unsure = as_now(rule, position)
    found = rule.trigger.metric.measure(position, trail.seen(rule.name), rule.trigger.of)
    measured = None if isinstance(found, Doubt) else found
    fired = measured is not None and rule.trigger.fires_at(measured, position)
    doubt = found if isinstance(found, Doubt) else unsure or (None if fired else kind.unable(rule, position))
    said = None if doubt is None else Doubt(doubt.reason, f"rule {rule.name}: {doubt.detail}")
    return Verdict(rule, measured, fired, said)


def as_now(rule: Rule[P], position: P) -> tuple[Rule[P], Doubt | None]:
    """Return a rule with its bound as it is at the volatility of now, and why it does not widen where it should.

    Where that is not known the bound is the one that is written, as it is for a rule that never widens, and the owner
    hears that it does not widen: to sell at the farthest would be to act on what nobody knows.
    """
    trigger, measure = rule.trigger, rule.trigger.metric.volatility
    if trigger.widening is None or measure is None:
        return rule, None
    found = measure(position, trigger.of)
    if isinstance(found, Doubt):
        return rule, Doubt(found.reason, f"its bound does not widen: {found.detail}")
    return (rule if found is None else replace(rule, trigger=trigger.widened(found))), None
