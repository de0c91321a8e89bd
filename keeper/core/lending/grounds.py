"""What the gate knows of a lending position: the price of each asset, and whether loans rest on it."""

from __future__ import annotations

from keeper.core.grounds import Grounds, Priced
from keeper.core.snapshot import LendingPosition


def grounds(position: LendingPosition) -> Grounds:
    """Return what effects on a position are judged by."""
    reserves = [holding.reserve for holding in position.holdings]
    return Grounds({r.asset: Priced(r.symbol, r.price.answer, r.unit, secures=bool(r.ltv)) for r in reserves})
