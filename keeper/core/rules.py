"""The owner's rules, and what they say of a position at one block: trigger, target, Assessment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

from keeper.core import names
from keeper.core.lending import figures as lending
from keeper.core.pace import Drift
from keeper.core.prices import Doubt, Side
from keeper.core.reasons import Reason
from keeper.core.snapshot import AccountFigures, LendingPosition, Unreadable
from keeper.core.units import Address, Bps, Usd, Wad, Wei, decimal_of, ratio_text


class Action(Enum):
    """What a rule may allow."""

    TOP_UP = "top_up"
    REPAY = "repay"
    DELEVERAGE = "deleverage"
    LEVERAGE_UP = "leverage_up"
    ALERT = "alert"

    @property
    def trades(self) -> bool:
        """Whether the action buys or sells, and so needs prices beyond doubt."""
        return self in (Action.DELEVERAGE, Action.LEVERAGE_UP)


class Measure(Enum):
    """What a trigger looks at."""

    HEALTH_FACTOR = "health_factor"
    LTV = "ltv"
    LIQUIDATION_DISTANCE = "liquidation_distance"
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Fires when ``measure`` is strictly below or above ``bound``.

    Bounds are Wad, except prices: 10^-8 of the market's base unit for one whole ``asset`` (an address or a symbol).
    """

    measure: Measure
    is_below: bool
    bound: int
    asset: str | None = None

    def fires_at(self, value: int) -> bool:
        """Return whether a measured value fires."""
        return value < self.bound if self.is_below else value > self.bound


@dataclass(frozen=True, slots=True)
class HealthFactorTarget:
    """Restore the health factor to at least this (when raising), or down to this (when boosting)."""

    health_factor: Wad

    def is_met(self, of: AccountFigures) -> bool:
        """Return whether figures are at or on the safe side of the target."""
        return of.health_factor >= self.health_factor

    def __str__(self) -> str:
        return f"health factor {ratio_text(self.health_factor)}"


@dataclass(frozen=True, slots=True)
class LtvTarget:
    """Restore the loan-to-value ratio to at most this."""

    ltv: Wad

    def is_met(self, of: AccountFigures) -> bool:
        """Return whether figures are at or on the safe side of the target."""
        return lending.current_ltv(of) <= self.ltv

    def __str__(self) -> str:
        return f"LTV {ratio_text(self.ltv)}"


@dataclass(frozen=True, slots=True)
class CloseTarget:
    """Repay every debt."""

    def is_met(self, of: AccountFigures) -> bool:
        """Return whether no debt is left."""
        return of.debt_value == 0

    def __str__(self) -> str:
        return "closed"


Target = HealthFactorTarget | LtvTarget | CloseTarget

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
    """A trigger, a different target, and the actions the owner allows to get there."""

    name: str
    position: str
    trigger: Trigger
    target: Target | None
    actions: tuple[Action, ...]
    cooldown_s: int
    limits: Limits

    @property
    def is_boost(self) -> bool:
        """Whether the rule adds leverage rather than taking it away."""
        return Action.LEVERAGE_UP in self.actions


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
        found = [self.doubt_of(*((d, c) if action is Action.LEVERAGE_UP else (c, d))) for c, d in pairs]
        return found[0] if found and all(found) else next(iter(self.doubts), None)

    @property
    def fired(self) -> tuple[Rule, ...]:
        """The rules that fired: the ones that make the position safer first, in the order the owner wrote them."""
        rules = [verdict.rule for verdict in self.verdicts if verdict.fired]
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
) -> Assessment | Unjudged:
    """Judge a position by its rules. The account must reproduce the protocol's figures to the wei."""
    if isinstance(position, Unreadable):
        return Unjudged(position.name, position.doubt)
    if position.is_empty:
        return Unjudged(position.name, Doubt(Reason.NO_POSITION, f"{position.owner} has no supply and no debt"))
    account = lending.account_of(position)
    figures = lending.figures(account)
    if figures != position.reported:
        ours, theirs = (decimal_of(of.health_factor, 18) for of in (figures, position.reported))
        return Unjudged(position.name, Doubt(Reason.FIGURES_DISAGREE, f"ours {ours}, protocol {theirs}"))
    verdicts = tuple(_judge(rule, position, figures) for rule in rules if rule.position == position.name)
    return Assessment(position, account, figures, verdicts, doubts, doubted or {}, drifts or {})


def measure(trigger: Trigger, position: LendingPosition, figures: AccountFigures) -> int | None:
    """Return what a trigger looks at; None when the named asset is not in the position or not named and ambiguous."""
    match trigger.measure:
        case Measure.HEALTH_FACTOR:
            return figures.health_factor
        case Measure.LTV:
            return lending.current_ltv(figures)
        case Measure.LIQUIDATION_DISTANCE:
            return lending.liquidation_distance(figures)
        case Measure.PRICE:
            return _price(trigger.asset, position)
        case _:
            assert_never(trigger.measure)


def _judge(rule: Rule, position: LendingPosition, figures: AccountFigures) -> Verdict:
    value = measure(rule.trigger, position, figures)
    if value is None:
        doubt = Doubt(Reason.RULE_UNDECIDABLE, f"rule {rule.name}: {_no_one_asset(rule.trigger.asset, position)}")
        return Verdict(rule, None, fired=False, doubt=doubt)
    return Verdict(rule, value, fired=rule.trigger.fires_at(value))


def _no_one_asset(given: str | None, position: LendingPosition) -> str:
    several = names.meant(given, position.holdings) if given else ()
    if len(several) > 1:
        return f"asset {given} means {' and '.join(r.asset for r in several)}"
    return f"asset {given}, position has {', '.join(h.symbol for h in position.held)}"


def matters(position: LendingPosition, asset: Address) -> bool:
    """Return whether an asset is more than dust here: 1 % of the collateral or of the debt.

    Anyone may supply a unit of anything to anyone; that must not blind a rule or bind the keeper's hands.
    """
    holding, whole = position.holding(asset), position.reported
    supplied = lending.value_down(holding, holding.supplied)
    owed = lending.value_down(holding, holding.borrowed)
    is_held = holding.is_collateral and supplied * 100 >= whole.collateral_value
    return (is_held and supplied > 0) or (owed > 0 and owed * 100 >= whole.debt_value)


def _price(asset: str | None, position: LendingPosition) -> int | None:
    if asset:
        named = list(names.meant(asset, position.holdings))
    else:
        named = [h for h in position.held if h.is_collateral and matters(position, h.asset)]
    return named[0].price.answer if len(named) == 1 else None
