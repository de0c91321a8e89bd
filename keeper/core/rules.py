"""The owner's rules, and what they say of a position at one block: trigger, target, Assessment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.core.actions import Action
from keeper.core.lending import figures as lending
from keeper.core.lending.metrics import LendingTarget, LendingTrigger
from keeper.core.pace import Drift
from keeper.core.prices import Doubt, Side
from keeper.core.reasons import Reason
from keeper.core.snapshot import AccountFigures, LendingPosition, Unreadable
from keeper.core.trail import Trail
from keeper.core.units import Address, Bps, Usd, Wei, decimal_of

WORST_OF_USUAL = 10
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
    worst_slippage: Bps | None = None
    """What a rescue may lose at the edge of liquidation; None: derived from the usual."""

    @property
    def worst(self) -> Bps:
        """The owner's worst, never tighter than the usual; left out: ten times the usual, at most a fifth."""
        derived = min(WORST_OF_USUAL * self.max_slippage, MOST_SLIPPAGE)
        return Bps(max(self.max_slippage, derived if self.worst_slippage is None else self.worst_slippage))


@dataclass(frozen=True, slots=True)
class Rule:
    """A trigger, a different target, and the actions the owner allows to get there. Without actions it only alerts."""

    name: str
    position: str
    trigger: LendingTrigger
    target: LendingTarget | None
    actions: tuple[Action, ...]
    cooldown_s: int
    limits: Limits

    @property
    def is_boost(self) -> bool:
        """Whether the rule adds leverage rather than taking it away."""
        return any(action.adds_leverage for action in self.actions)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule on one position: the measured value and whether the trigger fired."""

    rule: Rule
    measured: int | None
    fired: bool
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """One position judged: exact account, figures, every rule's verdict, and the doubts that forbid trading."""

    position: LendingPosition
    account: lending.Account
    figures: AccountFigures
    verdicts: tuple[Verdict, ...]
    doubts: tuple[Doubt, ...]
    """What forbids every trade of this position."""
    doubted: Mapping[Address, tuple[Doubt, ...]] = field(default_factory=dict)
    """Assets whose own price is in doubt: each binds trades of that asset alone, and those that it forbids."""
    drifts: Mapping[Address, Drift] = field(default_factory=dict)
    """How fast prices move now."""

    @property
    def all_doubts(self) -> tuple[Doubt, ...]:
        """Everything that speaks against a trade."""
        return (*self.doubts, *(doubt for found in self.doubted.values() for doubt in found))

    def doubt_of(self, sell: Address, buy: Address) -> Doubt | None:
        """Return what forbids selling one asset for another."""
        own = [d for d in self.doubted.get(sell, ()) if d.forbids(Side.SELLING)]
        own += [d for d in self.doubted.get(buy, ()) if d.forbids(Side.BUYING)]
        return next(iter((*self.doubts, *own)), None)

    def doubt_against(self, action: Action) -> Doubt | None:
        """Return what forbids every trade an action could make here; None where one is free of doubt."""
        if not action.trades or (not self.doubts and not self.doubted):
            return None
        collateral = [h.asset for h in self.position.held if h.is_collateral and h.supplied]
        debts = [h.asset for h in self.position.held if h.borrowed]
        pairs = [(c, d) for c in collateral for d in debts if c != d]
        found = [self.doubt_of(*((d, c) if action.adds_leverage else (c, d))) for c, d in pairs]
        return found[0] if found and all(found) else next(iter(self.doubts), None)

    @property
    def fired(self) -> tuple[Rule, ...]:
        """The rules that fired: the ones that make the position safer first, in the order the owner wrote them."""
        rules = [verdict.rule for verdict in self.verdicts if verdict.fired]
        if not rules:
            return ()
        return tuple(sorted(rules, key=lambda rule: rule.is_boost))


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A position no rule can be applied to; never taken for a healthy one."""

    name: str
    doubt: Doubt


def assess(
    position: LendingPosition | Unreadable,
    rules: tuple[Rule, ...],
    doubts: tuple[Doubt, ...],
    doubted: Mapping[Address, tuple[Doubt, ...]] | None = None,
    drifts: Mapping[Address, Drift] | None = None,
    trail: Trail | None = None,
) -> Assessment | Unjudged:
    """Judge a position by its rules. The account must reproduce the protocol's figures to the wei.

    ``trail`` includes this block.
    """
    if isinstance(position, Unreadable):
        return Unjudged(position.name, position.doubt)
    if position.is_empty:
        return Unjudged(position.name, Doubt(Reason.NO_POSITION, f"{position.owner} has no supply and no debt"))
    account = lending.account_of(position)
    figures = lending.figures(account)
    if figures != position.reported:
        ours, theirs = (decimal_of(of.health_factor, 18) for of in (figures, position.reported))
        return Unjudged(position.name, Doubt(Reason.FIGURES_DISAGREE, f"ours {ours}, protocol {theirs}"))
    verdicts = tuple(judged(rule, position, trail or Trail()) for rule in rules if rule.position == position.name)
    return Assessment(position, account, figures, verdicts, doubts, doubted or {}, drifts or {})


def judged(rule: Rule, position: LendingPosition, trail: Trail) -> Verdict:
    """Return what a rule measures, or why it measures nothing: a rule that looks nowhere is never at rest."""
    found = rule.trigger.metric.measure(position, trail.seen(rule.name), rule.trigger.of)
    if isinstance(found, Doubt):
        return Verdict(rule, None, fired=False, doubt=Doubt(found.reason, f"rule {rule.name}: {found.detail}"))
    return Verdict(rule, found, fired=found is not None and rule.trigger.fires_at(found, position))
