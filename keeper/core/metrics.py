"""What a rule looks at and where it wants to get: Metric, Trigger, Target. Pure, and generic in the position.

Everything about a trigger is in one ``Metric``: the settings key and its checks, the page in docs/, what is remembered
from block to block, whether a rule would fire again at its own target, and the words that people read all come from it.
Each kind of position lists its own: ``core/lending/metrics.py``, ``core/perp/metrics.py``, ``core/book/metrics.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from keeper.core.block import BlockRef
from keeper.core.prices import Doubt
from keeper.core.scales import Beyond, End, Range, Unit
from keeper.core.trail import NOTHING, LookBack, Trail
from keeper.core.units import BPS, WAD, mul_div_down, mul_div_up


class AnyPosition(Protocol):
    """All that rules read of a position by themselves; everything else they ask of its kind."""

    @property
    def name(self) -> str:
        """How the owner calls it."""

    @property
    def block(self) -> BlockRef:
        """The block it was read at."""


P = TypeVar("P", bound=AnyPosition)


@dataclass(frozen=True, slots=True)
class Subject:
    """What of a position is measured, where it has several, and over which time."""

    symbol: str | None = None
    """An asset or a market, as the owner named it."""
    window_s: int = 0
    fall: int = 0
    """By which share prices fall at once, Wad, for what looks at such a fall."""


WHOLE = Subject()
"""The position as such."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Metric(Generic[P]):
    """One thing that rules look at: everything about it in one object."""

    key: str
    """The settings key, with the side's word after it; also its name in the journal."""
    words: str
    """What people call it."""
    summary: str
    """A sentence or two for the reference: what it is, rounding and source included."""
    unit: Unit
    sides: tuple[Beyond, ...]
    """Where a trigger may fire; none for a metric that is only a target."""
    measure: Callable[[P, LookBack, Subject], int | Doubt | None]
    """What it is now. A Doubt: it cannot be known, which is never zero and never healthy. None: nothing is there."""
    at_target: Callable[[P | None, Target[P]], int | None] | None
    """What it would be, at the best, with the position at a target; without a position: where the two alone say.

    Returns None for a pair it does not know: the rule may not act. The field itself is None when no action of ours
    moves the metric: the rule rests once its target is met."""
    risk: Beyond | None = None
    """The dangerous side; None: it has none, and cannot be a target."""
    valid: Range = Range.ANY
    """Which bounds of a trigger make sense."""
    valid_target: Range = Range.ANY
    odd: Callable[[Beyond, int], str | None] | None = None
    """What is wrong with a bound that could be meant and still never works: it fires always, never, or too late."""
    named: str | None = None
    """The settings key that says what is meant: ``asset``, ``market``; None for what is the whole position's."""
    bound_key: str | None = None
    """Where what is meant and its bound are written in a table of their own: the key of the bound in it."""
    window_s: int = 0
    """The window where the owner gives none; zero for what does not look back over one."""
    fall: int = 0
    """The fall of prices where the owner gives none, Wad; zero for what looks at none."""
    parts: tuple[str, str] | None = None
    """What a table calls the bound and what stands beside it: ``{ probability = "0.01", horizon = "24h" }``."""
    actions: tuple[str, ...] | None = None
    """What a rule on it may do beside alerting, where not every action helps; None: all of its kind."""
    why_only: str = ""
    """Why only these, for the owner."""
    remember: Callable[[Trail, str, P, Subject, bool], Trail] | None = None
    """Put this block into a trail, for a rule by name; the flag says whether prices are beyond doubt."""
    can_rest: bool = False
    """True where a venue can watch for it by itself: an order that rests there may stand in for the rule."""
    looks_beside: bool = False
    """True where what it measures is read beside the position: other prices, what assets stand for."""
    volatility: Callable[[P, Subject], int | Doubt | None] | None = None
    """How much what it measures moves in a year, Wad; a bound of it may widen with that."""
    widens: tuple[End, ...] = (End.MAX,)
    """Which way a bound of it widens: away from its danger, or to either side where the owner must choose."""
    looks_ahead: bool = False
    """True where it rests on the price history of the position's assets."""
    band: int = 0
    """As a target of which both sides are wrong: how near counts as met where the owner gives no ``band``."""
    paces: bool = False
    """True for a schedule: its bound is how often a rule acts at most."""
    follows_prices: bool = True
    """False for a rate: no fall of a price is a new danger to it, and none makes it fire."""
    is_turned: Callable[[P, Subject], bool] | None = None
    """True for a position on the other side, as a short is: the trigger's side is mirrored."""
    label: str = ""
    """Its short name in details; the key, where it has none."""
    says: Callable[[Trigger[P], str, str], str] | None = None
    """A sentence of what fired, given the measured figure and the bound; else "… is below …"."""
    figure: Callable[[int], str] | None = None
    """How a value reads in an alarm; else as its unit reads."""
    exact: Callable[[int], str] | None = None
    """How a measured value reads beside its bound, where that needs more digits."""

    @property
    def is_of_an_asset(self) -> bool:
        """Whether it looks at one asset or market and not at the whole position."""
        return self.named is not None

    def now(self, p: P, of: Subject = WHOLE) -> int | None:
        """Return what it measures without looking back; None where it cannot be known, or nothing is there."""
        found = self.measure(p, NOTHING, of)
        return None if isinstance(found, Doubt) else found

    def __repr__(self) -> str:
        return f"Metric({self.key})"

    def text(self, value: int | None) -> str:
        """Return a measured value for a detail: ``health_factor 1.1857``."""
        name = self.label or self.key
        return f"{name} unknown" if value is None else f"{name} {self.unit.text(value)}"

    def shown(self, value: int) -> str:
        """Return a value as an alarm shows it."""
        return self.figure(value) if self.figure else self.unit.text(value)

    def key_of(self, side: Beyond) -> str:
        """Return the settings key of a trigger on a side: ``ltv_above``, ``stop_loss``."""
        return self.key if side in (Beyond.DOWN_TO, Beyond.UP_TO) else f"{self.key}_{side.value}"


@dataclass(frozen=True, slots=True)
class Widening:
    """A bound that moves with volatility: by so much for each 1.00 a year (Wad), and no further than ``most``.

    It moves towards ``most``: up where that lies above it, as a health factor does, down where it lies below.
    """

    per_volatility: int
    most: int


@dataclass(frozen=True, slots=True)
class Trigger(Generic[P]):
    """Fires when its metric lies beyond the bound: Wad for ratios and sizes, 10^-8 for dollars."""

    metric: Metric[P]
    side: Beyond
    bound: int
    of: Subject = field(default=WHOLE)
    widening: Widening | None = None

    @property
    def key(self) -> str:
        """Its settings key."""
        return self.metric.key_of(self.side)

    @property
    def farthest(self) -> int:
        """The bound that fires soonest of all that it may have: where it may fire if prices move enough, or calm."""
        if self.widening is None:
            return self.bound
        soonest = max if self.side in (Beyond.BELOW, Beyond.DOWN_TO) else min
        return soonest(self.bound, self.widening.most)

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest bound that it may have."""
        far = self.bound if self.widening is None else self.widening.most
        return min(self.bound, far), max(self.bound, far)

    def widened(self, volatility: int) -> Trigger[P]:
        """Return the trigger as it is at a volatility (Wad a year), its bound rounded to where it fires sooner."""
        if self.widening is None:
            return self
        room = self.widening.most - self.bound
        rounded = mul_div_up if self.farthest == self.widening.most else mul_div_down
        moved = min(abs(room), rounded(self.widening.per_volatility, max(0, volatility), WAD))
        return replace(self, bound=self.bound + (moved if room > 0 else -moved), widening=None)

    def side_at(self, p: P | None) -> Beyond:
        """Return the side it fires on, for a position."""
        turns = self.metric.is_turned
        return self.side.mirrored if turns and p is not None and turns(p, self.of) else self.side

    def fires_at(self, value: int, p: P | None = None) -> bool:
        """Return whether a measured value fires; the side of a stop is the position's."""
        return self.side_at(p).is_beyond(value, self.bound)

    def rests_at(self, value: int) -> bool:
        """Return whether a value neither fires nor lies on the bound itself."""
        return not self.fires_at(value) and not self.side.is_at(value, self.bound)

    def at(self, p: P | None, target: Target[P]) -> int | None:
        """Return what would be measured at a target; None where nobody knows, or nothing of ours moves it."""
        return None if self.metric.at_target is None else self.metric.at_target(p, target)

    @property
    def subject(self) -> str:
        """What is measured, in words: ``price of WETH``."""
        return f"{self.metric.words} of {self.of.symbol}" if self.of.symbol else self.metric.words

    def detail(self, value: int | None) -> str:
        """Return a measured value for a detail, with what it is so much of: ``delta 1.2000 ETH``."""
        return f"{self.metric.text(value)}{_of(self.metric, self.of)}"

    def text(self, value: int | None) -> str:
        """Return a measure against its bound: ``health factor 1.6523 is below 1.70``."""
        metric, bound = self.metric, self.metric.shown(self.bound)
        measured = "unknown" if value is None else (metric.exact or metric.shown)(value)
        if metric.says:
            return metric.says(self, measured, bound)
        year = " a year" if metric.unit is Unit.RATE else ""
        return f"{self.subject} {measured}{year} is {self.side.value} {bound}"


@dataclass(frozen=True, slots=True)
class Target(Generic[P]):
    """A metric brought back to a value; closing is a debt or a size of zero."""

    metric: Metric[P]
    value: int
    of: Subject = field(default=WHOLE)
    within: int = 1
    """Nearer than this is met, where both sides of the value are dangerous: less is not worth a trade."""

    def is_met(self, p: P) -> bool:
        """Return whether the metric is known and not on its dangerous side of the value."""
        now, risk = self.metric.now(p, self.of), self.metric.risk
        if now is None or risk is None:
            return False
        return abs(now - self.value) < self.within if risk is Beyond.OUTSIDE else not risk.is_beyond(now, self.value)

    def aimed(self, by: int) -> Target[P]:
        """Return the target moved to its safe side by basis points of itself: what accrues cannot undo it."""
        if self.metric.risk is Beyond.BELOW:
            return Target(self.metric, mul_div_up(self.value, BPS + by, BPS), self.of)
        return Target(self.metric, mul_div_down(self.value, BPS - by, BPS), self.of)

    def eased(self, percent: int) -> Target[P]:
        """Return the target that counts as met at so many percent of the way: its value moved to the dangerous side."""
        if self.metric.risk is Beyond.BELOW:
            return Target(self.metric, self.value * percent // 100, self.of)
        return Target(self.metric, self.value * 100 // percent, self.of)

    @property
    def is_close(self) -> bool:
        """True when nothing is to be left: no debt, no size."""
        return self.metric.risk is Beyond.ABOVE and not self.value

    def __str__(self) -> str:
        if self.is_close:
            return f"{self.of.symbol} closed" if self.of.symbol else "closed"
        return f"{self.metric.words} {self.metric.unit.text(self.value)}{_of(self.metric, self.of)}"


def _of(metric: Metric[P], of: Subject) -> str:
    return f" {of.symbol}" if metric.unit is Unit.SIZE and of.symbol else ""
