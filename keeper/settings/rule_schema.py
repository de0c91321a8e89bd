"""A rule as it is written: when, how far, by what, within which limits."""

from __future__ import annotations

from decimal import Decimal
from math import ceil
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from keeper.settings.fields import AssetName, Name, Number, Period, Seconds, Text, Whole
from keeper.settings.perp_schema import DeltaTable, Table


class WhenTable(Table):
    """A rule's trigger: exactly one measure."""

    health_factor_below: Number | None = None
    health_factor_above: Number | None = None
    ltv_above: Number | None = None
    liquidation_distance_below: Number | None = None
    price_below: Number | None = None
    price_above: Number | None = None
    margin_ratio_below: Number | None = None
    leverage_above: Number | None = None
    stop_loss: Number | None = None
    take_profit: Number | None = None
    trailing_stop: Number | None = None
    funding_above: Number | None = None
    delta_outside: DeltaTable | None = None
    asset: AssetName | None = None
    market: Text | None = None
    window: Period | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        named = [k for k in self.model_fields_set if k in MEASURES and getattr(self, k) is not None]
        if len(named) != 1:
            raise ValueError(f"names {len(named)} measures, a rule has exactly one: {', '.join(MEASURES)}")
        for key, (fits, words) in _GOES_WITH.items():
            if getattr(self, key) is not None and named[0] not in fits:
                raise ValueError(f"`{key}` goes with {words} only")
        return self


_GOES_WITH = {
    "asset": (("price_below", "price_above"), "price_below or price_above"),
    "market": (
        ("stop_loss", "take_profit", "trailing_stop", "funding_above"),
        "stop_loss, take_profit, trailing_stop or funding_above",
    ),
    "window": (("funding_above",), "funding_above"),
}
MEASURES = tuple(k for k in WhenTable.model_fields if k not in _GOES_WITH)
LENDING_MEASURES = frozenset(
    {
        "health_factor_below",
        "health_factor_above",
        "ltv_above",
        "liquidation_distance_below",
        "price_below",
        "price_above",
    }
)
EITHER_MEASURES = frozenset({"liquidation_distance_below"})
"""Measures of lending and of perpetual positions alike."""


def measure_of(when: WhenTable) -> str:
    """Return the one measure a trigger names."""
    return next(m for m in MEASURES if getattr(when, m) is not None)


class RestoreTable(Table):
    """A rule's target: exactly one."""

    health_factor: Number | None = None
    ltv: Number | None = None
    margin_ratio: Number | None = None
    leverage: Number | None = None
    delta: Number | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        named = [k for k in type(self).model_fields if getattr(self, k) is not None]
        if len(named) != 1:
            raise ValueError(
                "names one of health_factor or ltv (lending), margin_ratio or leverage (perpetuals), delta (a book), "
                'or is "close"'
            )
        return self


RESTORE_KINDS = ("restore as a table", "restore as a word")


def _kind_of_restore(value: object) -> str:
    return RESTORE_KINDS[isinstance(value, str)]


_Restore = Annotated[RestoreTable, Tag(RESTORE_KINDS[0])]
_Close = Annotated[Literal["close"], Tag(RESTORE_KINDS[1])]


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


ActionName = Literal[
    "top_up", "repay", "deleverage", "leverage_up", "alert", "add_margin", "reduce", "close", "hedge", "unwind"
]


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
    min_trade: Number | None = None
    min_margin_ratio: Number | None = None
    funding_horizon: Period | None = None

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
        return 0 if set(self.actions) == {"alert"} and not is_named else ceil(self.cooldown)

    @property
    def about(self) -> str:
        """The name of the position or the book."""
        return self.position or self.book or ""
