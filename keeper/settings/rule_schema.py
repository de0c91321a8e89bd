"""A rule as it is written: when, how far, by what, within which limits."""

from __future__ import annotations

from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, create_model, model_validator

from keeper.core.actions import ALERT
from keeper.core.book.actions import ACTIONS as BOOK_ACTIONS
from keeper.core.book.metrics import METRICS as BOOK
from keeper.core.lending.actions import ACTIONS as LENDING_ACTIONS
from keeper.core.lending.metrics import METRICS as LENDING
from keeper.core.perp.candidates import ACTIONS as PERP_ACTIONS
from keeper.core.perp.metrics import METRICS as PERP
from keeper.settings.fields import AssetName, Name, Number, Period, Seconds, Text, Whole
from keeper.settings.perp_schema import Table
from keeper.settings.rule_keys import PERIODS, TABLES, TARGETS, TRIGGERS, either, goes_with, taken_apart, targets_of


class WhenKeys(Table):
    """A rule's trigger: exactly one measure. The numbers that it may name are those of the metrics."""

    asset: AssetName | None = None
    market: Text | None = None
    underlying: Text | None = None
    window: Period | None = None
    fall: Number | None = None
    per_volatility: Number | None = None
    most: Number | None = None
    least: Number | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_table(cls, value: Any) -> Any:
        """Take a trigger's table apart: { probability = "0.01", horizon = "24h" } is a number and a window."""
        return taken_apart(value) if isinstance(value, dict) else value

    def figure(self, key: str) -> Decimal | None:
        """Return the number that a trigger is given; None where it is another."""
        found = getattr(self, key)
        return found if isinstance(found, Decimal) else None

    def written(self, key: str) -> tuple[Decimal, str | None]:
        """Return the bound of a trigger, and what it is about where the two stand in a table of their own."""
        found = getattr(self, key)
        if key not in TABLES:
            return found, None
        of, bound = TABLES[key]
        return getattr(found, bound), getattr(found, of)

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        named = [k for k in self.model_fields_set if k in MEASURES and getattr(self, k) is not None]
        if len(named) != 1:
            raise ValueError(f"names {len(named)} measures, a rule has exactly one: {', '.join(MEASURES)}")
        for key in _BESIDE:
            fits = goes_with(key)
            if getattr(self, key) is not None and named[0] not in fits:
                raise ValueError(f"`{key}` goes with {either(fits)} only")
        ends = [end for end in (self.most, self.least) if end is not None]
        if len(ends) != (self.per_volatility is not None):
            raise ValueError("a bound that widens names both per_volatility and how far at the most")
        return self


_BESIDE = ("asset", "market", "underlying", "window", "fall", "per_volatility", "most", "least")
MEASURES = TRIGGERS


class RestoreKeys(Table):
    """A rule's target: exactly one, and the asset it is about where its trigger names none."""

    asset: AssetName | None = None

    def figure(self, key: str) -> Decimal | None:
        """Return the number that a target is given; None where it is another."""
        found: Decimal | None = getattr(self, key)
        return found

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        named = [k for k in TARGETS if getattr(self, k) is not None]
        if len(named) != 1:
            raise ValueError(
                f"names one of {either(targets_of(LENDING))} (lending), {either(targets_of(PERP))} (perpetuals), "
                f'{either(targets_of(BOOK))} (a book), or is "close"'
            )
        return self


def _numbers(keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: (_written_as(key) | None, None) for key in keys}


def _written_as(key: str) -> Any:
    """Return how a figure is written: a number, or a table with what it is about."""
    if key in PERIODS:
        return Period
    if key not in TABLES:
        return Number
    of, bound = TABLES[key]
    fields: Any = {of: (Text, ...), bound: (Number, ...)}
    return create_model(f"{key}_table", __base__=Table, **fields)


if TYPE_CHECKING:

    class WhenTable(WhenKeys):
        """``when``, with a number for each trigger."""

    class RestoreTable(RestoreKeys):
        """``restore``, with a number for each target."""

else:
    WhenTable = create_model("WhenTable", __base__=WhenKeys, __doc__=WhenKeys.__doc__, **_numbers(TRIGGERS))
    RestoreTable = create_model("RestoreTable", __base__=RestoreKeys, __doc__=RestoreKeys.__doc__, **_numbers(TARGETS))


def measure_of(when: WhenTable) -> str:
    """Return the one measure a trigger names."""
    return next(m for m in MEASURES if getattr(when, m) is not None)


RESTORE_KINDS = ("restore as a table", "restore as a word")


def _kind_of_restore(value: object) -> str:
    return RESTORE_KINDS[isinstance(value, str)]


_Restore = Annotated[RestoreTable, Tag(RESTORE_KINDS[0])]
_Close = Annotated[Literal["close", "exit"], Tag(RESTORE_KINDS[1])]


SlippageBps = Annotated[Whole, Field(ge=1, le=2000)]
SLIPPAGE_KINDS = ("max_slippage_bps as a table", "max_slippage_bps as a number")


class SlippageTable(Table):
    """max_slippage_bps = { usual = 50, worst = 300 }."""

    usual: SlippageBps
    worst: SlippageBps | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.worst is not None and self.worst < self.usual:
            raise ValueError(f"worst: {self.worst} is tighter than usual, {self.usual}; write usual or more")
        return self


def _kind_of_slippage(value: object) -> str:
    return SLIPPAGE_KINDS[not isinstance(value, dict | SlippageTable)]


_SlippageTable = Annotated[SlippageTable, Tag(SLIPPAGE_KINDS[0])]
_SlippageBps = Annotated[SlippageBps, Tag(SLIPPAGE_KINDS[1])]


class LimitsTable(Table):
    """[rules.limits]."""

    max_slippage_bps: Annotated[_SlippageTable | _SlippageBps, Discriminator(_kind_of_slippage)] = 50
    max_spend_per_tx_usd: Number | None = None
    max_spend_per_day_usd: Number | None = None
    max_fee_gwei: Number | None = None
    max_cost_bps: Annotated[Whole, Field(ge=1, le=2000)] | None = None


ACTIONS = tuple(dict.fromkeys((*LENDING_ACTIONS, *PERP_ACTIONS, *BOOK_ACTIONS, ALERT)))


def _known(name: str) -> str:
    if name not in ACTIONS:
        raise ValueError(f"must be one of {either(ACTIONS)}")
    return name


ActionName = Annotated[Text, AfterValidator(_known)]


class RuleTable(Table):
    """[[rules]]. About a position, or about a book."""

    name: Name
    position: Text | None = None
    book: Text | None = None
    when: WhenTable
    restore: Annotated[_Restore | _Close, Discriminator(_kind_of_restore)] | None = None
    actions: tuple[ActionName, ...] = Field(min_length=1)
    cooldown: Seconds = Decimal(600)
    limits: LimitsTable = LimitsTable.model_construct(max_slippage_bps=50)
    rest: bool = False
    every: Period | None = None
    into: tuple[AssetName, ...] | None = None
    band: Number | None = None
    min_trade: Number | None = None
    min_margin_ratio: Number | None = None
    funding_horizon: Period | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_schedule_alone(cls, value: Any) -> Any:
        """Take a schedule for the trigger where there is no other; one asset to swap into may stand alone."""
        if not isinstance(value, dict):
            return value
        found = dict(value)
        if "every" in found and "when" not in found:
            found["when"] = {"every": found["every"]}
        if isinstance(found.get("into"), str):
            found["into"] = [found["into"]]
        return found

    @model_validator(mode="after")
    def _about_one_thing(self) -> Self:
        if (self.position is None) == (self.book is None):
            raise ValueError("position: name a position, or a `book`; one of them")
        return self

    @property
    def pause_s(self) -> int:
        """How long a rule rests once it acted; of one that only alerts how long until it is said again.

        Zero for the latter where it names none: then `alerts.repeat` counts.
        """
        is_named = "cooldown" in self.model_fields_set
        return ceil(self.cooldown) if self.acts or is_named else 0

    @property
    def acts(self) -> bool:
        """Whether it does more than alert."""
        return any(action != ALERT for action in self.actions)

    @property
    def about(self) -> str:
        """The name of the position or the book."""
        return self.position or self.book or ""


class PanicTable(Table):
    """[[panic]]. What ``keeper panic`` does to a position."""

    position: Text
    restore: Annotated[_Restore | _Close, Discriminator(_kind_of_restore)] = "close"
    actions: tuple[ActionName, ...] = Field(min_length=1)
    limits: LimitsTable = LimitsTable.model_construct(max_slippage_bps=50)

    @property
    def book(self) -> None:
        """None: it is never about a book."""
