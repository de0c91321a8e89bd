"""What the gate knows of a lending position: the price of each asset, and whether loans rest on it."""

from __future__ import annotations

from keeper.core.grounds import Grounds, Priced
from keeper.core.lending.position import Holding, LendingPosition


def grounds(position: LendingPosition) -> Grounds:
    """Return what effects on a position are judged by."""
    return Grounds({holding.asset: _priced(holding) for holding in position.holdings})


def _priced(of: Holding) -> Priced:
    """Return the price of a holding in dollars, whatever its market counts in."""
    dollars, unit = of.price.answer * of.money.dollars, of.unit * of.money.unit
    return Priced(of.symbol, dollars, unit, secures=bool(of.borrow_factor))
