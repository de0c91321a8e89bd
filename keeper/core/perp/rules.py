"""The owner's rules for perpetual positions, and what they say of one at one block."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpFigures, PerpLeg, PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Limits, Unjudged
from keeper.core.snapshot import Unreadable
from keeper.core.trail import Trail
from keeper.core.units import INFINITE, WAD, Wad, decimal_of, mul_div_down, mul_div_up, ratio_text, usd_text


class PerpAction(Enum):
    """What a rule may allow."""

    ADD_MARGIN = "add_margin"
    REDUCE = "reduce"
    CLOSE = "close"
    ALERT = "alert"

    @property
    def trades(self) -> bool:
        """Whether the action trades, and so needs prices beyond doubt."""
        return self in (PerpAction.REDUCE, PerpAction.CLOSE)


class PerpMeasure(Enum):
    """What a trigger looks at."""

    MARGIN_RATIO = "margin_ratio"
    LEVERAGE = "leverage"
    LIQUIDATION_DISTANCE = "liquidation_distance"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    TRAILING_STOP = "trailing_stop"
    FUNDING = "funding"

    @property
    def is_of_a_leg(self) -> bool:
        """Whether it looks at one market and not at the whole account."""
        return self in (
            PerpMeasure.STOP_LOSS,
            PerpMeasure.TAKE_PROFIT,
            PerpMeasure.TRAILING_STOP,
            PerpMeasure.FUNDING,
        )

    @property
    def is_of_a_price(self) -> bool:
        """Whether it is judged by a leg's index price."""
        return self.is_of_a_leg and self is not PerpMeasure.FUNDING

    @property
    def is_exit(self) -> bool:
        """Whether it asks for less size, whatever the margin."""
        return self.is_of_a_leg


@dataclass(frozen=True, slots=True)
class PerpTrigger:
    """Fires beyond ``bound``: Wad for ratios, shares and rates a year; 10^-8 dollars a whole underlying for prices.

    ``market`` names the underlying where the account has several.
    """

    measure: PerpMeasure
    bound: int
    market: str | None = None
    window_s: int = 0


@dataclass(frozen=True, slots=True)
class MarginTarget:
    """Restore equity to at least this share of the size; ``text`` is how the owner wrote it."""

    ratio: Wad
    text: str

    def is_met(self, position: PerpPosition) -> bool:
        """Return whether the position is at or on the safe side of the target."""
        return perps.margin_ratio(position) >= self.ratio

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ExitTarget:
    """Close the size; of an account with several markets only the one the trigger looks at."""

    market: str | None = None

    def is_met(self, position: PerpPosition) -> bool:
        """Return whether no size is left."""
        return not any(self.market is None or is_named(leg, self.market) for leg in position.held)

    def __str__(self) -> str:
        return f"{self.market} closed" if self.market else "closed"


PerpTarget = MarginTarget | ExitTarget


@dataclass(frozen=True, slots=True)
class PerpRule:
    """A trigger, a different target, and the actions the owner allows to get there."""

    name: str
    position: str
    trigger: PerpTrigger
    target: PerpTarget | None
    actions: tuple[PerpAction, ...]
    cooldown_s: int
    limits: Limits
    rests: bool = False
    """Whether a stop order with the venue stands in for the rule while the keeper is away."""

    @property
    def is_boost(self) -> bool:
        """Never: no perp rule adds leverage."""
        return False

    @property
    def acts(self) -> tuple[PerpAction, ...]:
        """The actions that do more than alert."""
        return tuple(a for a in self.actions if a is not PerpAction.ALERT)


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


def leg_of(trigger: PerpTrigger, position: PerpPosition) -> PerpLeg | None:
    """Return the leg a trigger looks at; None when it names none that is held, or there are several to choose from."""
    if trigger.market:
        return next((leg for leg in position.held if is_named(leg, trigger.market)), None)
    return position.held[0] if len(position.held) == 1 else None


def is_named(leg: PerpLeg, market: str) -> bool:
    """Return whether an owner's name for a market means a leg: its underlying, or the market's address."""
    return market.lower() in (leg.symbol.lower(), leg.market.lower())


def price_usd(leg: PerpLeg) -> int:
    """Return the index price in 10^-8 dollars of one whole underlying: what stops are judged by."""
    return leg.oracle.answer


def measure(trigger: PerpTrigger, position: PerpPosition, trail: Trail, rule: str) -> int | None:
    """Return what a trigger looks at; None where it is not known.

    Account-wide: margin ratio, leverage, distance. Of a leg: the index price; for a trailing stop the share lost since
    the best price seen; for funding its time-weighted average over the window, None before half of it was seen.
    """
    match trigger.measure:
        case PerpMeasure.MARGIN_RATIO:
            return perps.margin_ratio(position)
        case PerpMeasure.LEVERAGE:
            return perps.leverage(position)
        case PerpMeasure.LIQUIDATION_DISTANCE:
            return perps.liquidation_distance(position)
        case PerpMeasure.STOP_LOSS | PerpMeasure.TAKE_PROFIT:
            leg = leg_of(trigger, position)
            return price_usd(leg) if leg else None
        case PerpMeasure.TRAILING_STOP:
            leg = leg_of(trigger, position)
            return fallen(leg, trail.best.get(rule)) if leg else None
        case PerpMeasure.FUNDING:
            return trail.seen(rule).average(position.block.timestamp, trigger.window_s)
        case _:
            assert_never(trigger.measure)


def fallen(leg: PerpLeg, best: int | None) -> int | None:
    """Return the share (Wad, rounded up) the price moved against the leg since its best."""
    if best is None or best <= 0:
        return None
    against = best - price_usd(leg) if leg.is_long else price_usd(leg) - best
    return mul_div_up(max(0, against), WAD, best)


def fires(trigger: PerpTrigger, value: int, leg: PerpLeg | None) -> bool:
    """Return whether a measured value fires a trigger; a stop's side is the leg's."""
    is_long = leg is None or leg.is_long
    match trigger.measure:
        case PerpMeasure.MARGIN_RATIO | PerpMeasure.LIQUIDATION_DISTANCE:
            return value < trigger.bound
        case PerpMeasure.LEVERAGE | PerpMeasure.FUNDING:
            return value > trigger.bound
        case PerpMeasure.TRAILING_STOP:
            return value >= trigger.bound
        case PerpMeasure.STOP_LOSS:
            return value <= trigger.bound if is_long else value >= trigger.bound
        case PerpMeasure.TAKE_PROFIT:
            return value >= trigger.bound if is_long else value <= trigger.bound
        case _:
            assert_never(trigger.measure)


def target_fires(trigger: PerpTrigger, target: PerpTarget | None) -> bool:
    """Return whether a trigger would still fire at its own target, where the two alone say."""
    if not isinstance(target, MarginTarget):
        return False
    match trigger.measure:
        case PerpMeasure.MARGIN_RATIO:
            return target.ratio <= trigger.bound
        case PerpMeasure.LEVERAGE:
            return mul_div_down(WAD, WAD, target.ratio) >= trigger.bound if target.ratio else True
        case PerpMeasure.LIQUIDATION_DISTANCE:  # depends on the position: a target met while it fires is refused there
            return False
        case (
            PerpMeasure.STOP_LOSS | PerpMeasure.TAKE_PROFIT | PerpMeasure.TRAILING_STOP | PerpMeasure.FUNDING
        ):  # nothing of ours moves a price or a rate: the rule rests once its target is met
            return False
        case _:
            assert_never(trigger.measure)


def measured_text(trigger: PerpTrigger, value: int | None) -> str:
    """Return a measured value for people."""
    if value is None:
        return f"{trigger.measure.value} unknown"
    if trigger.measure in (PerpMeasure.STOP_LOSS, PerpMeasure.TAKE_PROFIT):
        return f"price {decimal_of(value, 8, 2)}"
    return f"{trigger.measure.value} {'-' if value < 0 else ''}{ratio_text(min(abs(value), INFINITE))}"


def _judge(rule: PerpRule, position: PerpPosition, trail: Trail) -> PerpVerdict:
    """Return what a rule measures, or why it measures nothing: a rule that looks nowhere is never at rest.

    A position without size has nothing to be measured, which is no doubt; a market it does not have is.
    """
    if doubt := _looks_nowhere(rule, position):
        return PerpVerdict(rule, None, fired=False, doubt=doubt)
    if not position.held:
        return PerpVerdict(rule, None, fired=False)
    value = measure(rule.trigger, position, trail, rule.name)
    leg = leg_of(rule.trigger, position)
    if rule.trigger.measure.is_of_a_leg and leg is None:
        return PerpVerdict(rule, None, fired=False)
    if leg is not None and rule.trigger.measure.is_of_a_price and price_usd(leg) <= 0:
        doubt = Doubt(Reason.PRICE_NOT_POSITIVE, f"{leg.symbol} answers {usd_text(price_usd(leg))}")
        return PerpVerdict(rule, None, fired=False, doubt=doubt)
    if value is None:
        return PerpVerdict(rule, None, fired=False, doubt=_not_yet(rule))
    return PerpVerdict(rule, value, fired=fires(rule.trigger, value, leg))


def _looks_nowhere(rule: PerpRule, position: PerpPosition) -> Doubt | None:
    """Return why a rule about one market has none to look at; None where the one it means only has no size."""
    named = rule.trigger.market
    if named and any(is_named(leg, named) for leg in position.legs):
        return None
    if not named and (not rule.trigger.measure.is_of_a_leg or len(position.held) <= 1):
        return None
    has = ", ".join(leg.symbol for leg in (position.legs if named else position.held)) or "no market"
    which = f"market {named}" if named else "no market named"
    return Doubt(Reason.RULE_UNDECIDABLE, f"rule {rule.name}: {which}, position has {has}")


def _not_yet(rule: PerpRule) -> Doubt:
    """Return that a rule has yet to see what it measures."""
    what = "a price beyond doubt to measure the fall from"
    if rule.trigger.measure is PerpMeasure.FUNDING:
        what = f"half of its window of {rule.trigger.window_s} s without a gap"
    return Doubt(Reason.UNMEASURED, f"rule {rule.name}: has not seen {what} yet")
