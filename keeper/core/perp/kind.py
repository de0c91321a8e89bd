"""What the story needs to know of perpetual positions."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.core.metrics import Target
from keeper.core.perp import margin as perps
from keeper.core.perp.candidates import ACTIONS
from keeper.core.perp.metrics import MARGIN_RATIO, METRICS, closed
from keeper.core.perp.position import FACTOR, PerpFigures, PerpPosition
from keeper.core.perp.rules import PerpAssessment, PerpIntent
from keeper.core.rules import Kind
from keeper.core.units import BPS, WAD, Address, Wad, decimal_of

NEW_LOW = 10
"""Basis points of the size by which prices must be worse than before to count as a new low."""
EMERGENCY_DISTANCE = WAD // 20
"""A position that a move of 5 % liquidates does not wait for a cooldown."""


def disagrees(p: PerpPosition) -> str | None:
    """Return how our figures differ from the venue's; None where they are the same, to the unit."""
    figures = perps.figures(p)
    if figures == p.reported:
        return None
    ours, theirs = (_figures_text(p, of) for of in (figures, p.reported))
    return f"ours {ours}, venue's {theirs}"


def pending_order(position: PerpPosition) -> str | None:
    """Return the key of an order that waits for the venue's keepers, not for a price; None if there is none."""
    return next((order.key for order in position.orders if not order.kind.rests and not order.is_frozen), None)


def is_emergency(position: PerpPosition, emergency: Wad) -> bool:
    """Return whether liquidation is so near that nothing holds a rescue back."""
    if not position.held:
        return False
    near = perps.equity(position) * WAD <= perps.requirement(position) * emergency
    return near or perps.liquidation_distance(position) <= EMERGENCY_DISTANCE


def is_new_low(position: PerpPosition, acted_on: Mapping[Address, int]) -> bool:
    """Return whether marks are worse for the position as it is now than others.

    A cooldown keeps a rule from going back and forth; a market that goes on against the position is a new danger.
    """
    then = position
    for leg in position.held:
        then = perps.at_price(then, leg.market, acted_on.get(leg.market, leg.mark_price))
    return (perps.equity(then) - perps.equity(position)) * BPS > perps.basis(position) * NEW_LOW


def _figures_text(position: PerpPosition, of: PerpFigures) -> str:
    """Return worth and requirement with every digit: a difference of one must show."""
    digits = len(str(position.usd_unit)) - 1
    return f"equity ${decimal_of(of.equity, digits)} over ${decimal_of(of.requirement, digits)}"


PERP: Kind[PerpPosition, PerpAssessment, PerpIntent] = Kind(
    nothing=lambda p: f"{p.owner} has no size and no margin" if p.is_empty else None,
    metrics=METRICS,
    actions=ACTIONS,
    closed=closed,
    disagrees=disagrees,
    waits=pending_order,
    liquidated_at=lambda p: Target(MARGIN_RATIO, p.maintenance * WAD // FACTOR),
    is_emergency=is_emergency,
    is_new_low=is_new_low,
    judged=PerpAssessment,
    intended=PerpIntent,
)
