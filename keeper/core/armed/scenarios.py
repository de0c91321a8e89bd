"""At which prices a rule would fire: what moves together, how far that is, and the rungs of a ladder from there on.

What prices do to a kind of position is its ``Outlook``: ``loan_prices``, ``perp_prices``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic

from keeper.core.armed.accrual import Answered
from keeper.core.metrics import P
from keeper.core.prices import Doubt
from keeper.core.rules import NO_TRAIL, Rule, as_now
from keeper.core.snapshot import BlockRef
from keeper.core.trail import Trail
from keeper.core.units import BPS, Address, Bps, largest, mul_div_up

PPM = 1_000_000
Prices = Mapping[Address, int]
"""By asset or market, as the oracle gives them: 10^-8 of the money they are in."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Assets whose prices move by one common factor: down to ``factor`` parts in a million, or up by its inverse."""

    moved: tuple[Address, ...]
    is_fall: bool

    def prices(self, now: Prices, factor: int) -> dict[Address, int]:
        """Return every price once the moved ones have come as far as ``factor``, against us."""
        prices = dict(now)
        for asset in self.moved:
            price = prices[asset]
            prices[asset] = price * factor // PPM if self.is_fall else mul_div_up(price, PPM, factor)
        return prices


@dataclass(frozen=True, slots=True, eq=False)
class Outlook(Generic[P]):
    """What prices do to a kind of position: all that the story has to know to make plans ready for them."""

    prices: Callable[[P], Prices]
    """Every price of a position."""
    at_prices: Callable[[P, Prices], P]
    """The position as the venue would report it at other prices."""
    scenarios: Callable[[P, Rule[P]], tuple[Scenario, ...]]
    """The moves that could make a rule fire."""
    name: Callable[[P, Address], str]
    """What people call an asset or a market of it."""
    held: Callable[[P], frozenset[Address]]
    """The assets and markets whose prices matter."""
    carried_on: Callable[[P, BlockRef, Mapping[Address, Answered]], P]
    """The position as it will be read at a later block, if nobody touches it: new prices, and what accrues."""
    is_same: Callable[[P, P], bool]
    """Whether nobody touched it in between."""
    differs: Callable[[P, P], str | None]
    """In what a position as it was read is not what was foretold of it; None where it is, but for rounding."""


def fires_at(
    outlook: Outlook[P], position: P, rule: Rule[P], scenario: Scenario, band: Bps, trail: Trail = NO_TRAIL
) -> int | None:
    """Return the factor nearest to now at which a rule fires, None beyond ``band`` basis points. PPM: it does now."""

    metric, now, seen = rule.trigger.metric, outlook.prices(position), trail.seen(rule.name)

    def fires(factor: int) -> bool:
        then = outlook.at_prices(position, scenario.prices(now, factor))
        value = metric.measure(then, seen, rule.trigger.of)
        return (
            value is not None and not isinstance(value, Doubt) and as_now(rule, then)[0].trigger.fires_at(value, then)
        )

    return largest(PPM - band * PPM // BPS, PPM, fires)


def rungs(factor: int, step: Bps, count: int) -> tuple[int, ...]:
    """Return ``count`` factors below the one at which a rule fires, ``step`` basis points apart, nearest first.

    A plan made for a rung is enough for every price between it and the rung above.
    """
    return tuple(factor * (BPS - step * k) // BPS for k in range(1, count + 1))
