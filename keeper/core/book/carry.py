"""What holding a book brings or costs in a day, and when its hedge has paid for itself. Pure.

Rates are what the venues say now; they change. Dollars are base units (10^-8), signed: positive is earned.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.book.position import Exposure
from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import LendingPosition, Snapshot
from keeper.core.units import BPS, USD, WAD, Bps, Wad, mul_div_up

DAYS = 365


@dataclass(frozen=True, slots=True)
class Carry:
    """One book's expected carry a day, by source, and the hedge's break-even.

    ``to_open`` is what entering and leaving the hedge costs at its present size. ``days`` is how long the funding it
    earns takes to pay for that, None where it earns none. ``move`` (Wad share of the price) is the daily fall that a
    hedge which costs money would have to meet to be worth its day; zero where it earns.
    """

    supplied: int
    borrowed: int
    funding: int
    to_open: int
    days: int | None
    move: Wad

    @property
    def per_day(self) -> int:
        """All of it together."""
        return self.supplied - self.borrowed + self.funding


def carry(exposure: Exposure, snapshot: Snapshot, fee: Bps) -> Carry:
    """Return a book's carry. ``fee`` is what a hedge trade costs, one way."""
    book = exposure.book
    supplied = borrowed = funding = hedging = notional = 0
    names = {*book.positions, *book.hedges}
    for member in snapshot.positions:
        if member.name not in names:
            continue
        if isinstance(member, LendingPosition):
            for holding in member.held:
                held, owed = holding.usd_down(holding.supplied), holding.usd_up(holding.borrowed)
                supplied += held * holding.rates.supply // (WAD * DAYS)
                borrowed += -(-(owed * holding.rates.borrow) // (WAD * DAYS))
        elif isinstance(member, PerpPosition):
            paid = _base_up(member, perps.funding_per_day(member))
            funding -= paid
            if member.name in book.hedges:
                hedging -= paid
                notional += sum(_base_up(member, perps.notional(leg)) for leg in member.legs)
    to_open = -(-(2 * notional * fee) // BPS)
    days = -(-to_open // hedging) if hedging > 0 else None
    move = Wad(mul_div_up(-hedging, WAD, notional)) if hedging < 0 and notional else Wad(0)
    return Carry(supplied, borrowed, funding, to_open, days, move)


def _base_up(position: PerpPosition, dollars: int) -> int:
    """Return a venue's dollars, signed, in base units, rounded up: a cost is not shown too low."""
    return -(-(dollars * USD) // position.usd_unit)
