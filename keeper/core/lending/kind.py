"""What the story needs to know of lending positions."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.core.lending import figures as lending
from keeper.core.lending.actions import ACTIONS
from keeper.core.lending.metrics import CLOSED, EXITED, METRICS, restored_to
from keeper.core.lending.position import LendingPosition
from keeper.core.lending.rules import LendingAssessment, LendingIntent
from keeper.core.rules import Kind
from keeper.core.units import BPS, WAD, Address, Wad, decimal_of

NEW_LOW = 10
"""Basis points of health by which prices must be worse than before to count as a new low."""


def disagrees(p: LendingPosition) -> str | None:
    """Return how our health factor differs from the protocol's; None where all figures are the same, to the wei."""
    figures = lending.figures(lending.account_of(p))
    if figures == p.reported:
        return None
    ours, theirs = (decimal_of(of.health_factor, 18) for of in (figures, p.reported))
    return f"ours {ours}, protocol {theirs}"


def is_new_low(p: LendingPosition, acted_on: Mapping[Address, int]) -> bool:
    """Return whether prices are worse for the position as it is now than others.

    A cooldown keeps a rule from going back and forth; a market that goes on falling is a new danger.
    """
    then = lending.health_factor(lending.at_prices(lending.account_of(p), acted_on))
    return then > p.reported.health_factor * (BPS + NEW_LOW) // BPS


LENDING: Kind[LendingPosition, LendingAssessment, LendingIntent] = Kind(
    nothing=lambda p: f"{p.owner} has no supply and no debt" if p.is_empty else None,
    metrics=METRICS,
    actions=ACTIONS,
    closed=lambda _: CLOSED,
    exited=EXITED,
    disagrees=disagrees,
    waits=lambda _: None,
    liquidated_at=lambda _: restored_to(Wad(WAD)),
    is_emergency=lambda p, emergency: p.reported.health_factor <= emergency,
    is_new_low=is_new_low,
    judged=LendingAssessment,
    intended=LendingIntent,
)
