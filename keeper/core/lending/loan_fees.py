"""What a loan of one transaction costs: nothing at most lenders; at some a share of it, or a sum."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.units import WAD, Amount, Wad, mul_div_up


@dataclass(frozen=True, slots=True)
class LoanFee:
    """A lender's fee for one asset, in that asset: a sum and a share of what is lent, each from above."""

    flat: Amount
    rate: Wad

    def of(self, lent: int) -> Amount:
        """Return what a loan of so much costs, rounded up; of nothing it costs nothing."""
        return Amount(self.flat + mul_div_up(lent, self.rate, WAD) if lent else 0)
