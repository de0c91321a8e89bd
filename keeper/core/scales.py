"""What a metric's figures are: their unit, the side of a bound on which they fire, which of them make sense. Pure."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import assert_never

from keeper.core.units import INFINITE, USD, WAD, decimal_of, ratio_text, scaled, usd_text


class Beyond(Enum):
    """On which side of its bound a value fires. The value is the word of the settings key; a stop has none."""

    BELOW = "below"
    ABOVE = "above"
    OUTSIDE = "outside"
    """Farther from zero than the bound, on either side."""
    DOWN_TO = "down to"
    """At the bound or below it."""
    UP_TO = "up to"
    """At the bound or above it."""

    def is_beyond(self, value: int, bound: int) -> bool:
        """Return whether a value lies on this side of a bound."""
        match self:
            case Beyond.BELOW:
                return value < bound
            case Beyond.ABOVE:
                return value > bound
            case Beyond.OUTSIDE:
                return abs(value) > bound
            case Beyond.DOWN_TO:
                return value <= bound
            case Beyond.UP_TO:
                return value >= bound
            case _:
                assert_never(self)

    def is_at(self, value: int, bound: int) -> bool:
        """Return whether a value lies on the bound itself, which of two sides has two ends."""
        return (abs(value) if self is Beyond.OUTSIDE else value) == bound

    @property
    def mirrored(self) -> Beyond:
        """The other side: what a stop of a short looks at."""
        return _MIRRORED[self]


_MIRRORED = {
    Beyond.BELOW: Beyond.ABOVE,
    Beyond.ABOVE: Beyond.BELOW,
    Beyond.OUTSIDE: Beyond.OUTSIDE,
    Beyond.DOWN_TO: Beyond.UP_TO,
    Beyond.UP_TO: Beyond.DOWN_TO,
}


class End(Enum):
    """How far a bound that moves with volatility goes; the value is the word of the settings key."""

    MAX = "max"
    """It rises, and no higher."""
    MIN = "min"
    """It falls, and no lower."""


class Range(Enum):
    """Which figures make sense; the value says it to the owner."""

    ANY = "may be any number"
    POSITIVE = "must be positive"
    SHARE = 'must lie between 0 and 1; write 20 % as "0.20"'
    ABOVE_ONE = "must be above 1"
    PART = 'must lie from 0 to 1; write 20 % as "0.20"'

    def allows(self, value: Decimal) -> bool:
        """Return whether a figure makes sense."""
        match self:
            case Range.ANY:
                return True
            case Range.POSITIVE:
                return value > 0
            case Range.SHARE:
                return 0 < value < 1
            case Range.ABOVE_ONE:
                return value > 1
            case Range.PART:
                return 0 <= value <= 1
            case _:
                assert_never(self)


class Unit(Enum):
    """What a metric's integers are: how many make one, and how people read them."""

    RATIO = "a number"
    SHARE = "a share"
    RATE = "a share a year"
    DOLLARS = "dollars"
    SIZE = "whole units"
    SECONDS = "a time"

    @property
    def one(self) -> int:
        """The integer that stands for one."""
        return USD if self is Unit.DOLLARS else 1 if self is Unit.SECONDS else WAD

    @property
    def decimals(self) -> int:
        """The decimals of that integer."""
        return 8 if self is Unit.DOLLARS else 0 if self is Unit.SECONDS else 18

    def of(self, value: Decimal) -> int:
        """Return an owner's decimal as an integer, rounded towards zero."""
        return scaled(value, self.one) if value >= 0 else -scaled(-value, self.one)

    def text(self, value: int) -> str:
        """Return a value in a word: for details of holds, and for targets."""
        if self is Unit.DOLLARS:
            return usd_text(value)
        if self is Unit.SECONDS:
            return f"{value} s"
        return f"{'-' if value < 0 else ''}{ratio_text(min(abs(value), INFINITE))}"


def plain(ratio: int) -> str:
    """Return a Wad ratio as an owner writes it."""
    return decimal_of(ratio, 18).rstrip("0").rstrip(".")


def percent(share: int) -> str:
    """Return a Wad share in percent."""
    return f"{decimal_of(share * 100, 18, 2)} %"


def trimmed(value: int, decimals: int, least: int = 2, most: int = 6) -> str:
    """Return decimal text without needless zeros: ``1.70``, ``0.125``."""
    whole, _, part = decimal_of(value, decimals, most).partition(".")
    return f"{whole}.{part.rstrip('0').ljust(least, '0')}"
