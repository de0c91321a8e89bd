"""What a swap costs: a pool's fee, and what its own size moves the price. Pure; dollars of 10^-8, rounded up.

A pool with ``depth`` dollars on each side over the whole range of prices (x · y = k) gives x for x / (1 - x / depth);
the fee is taken of what is given. ``fitted`` finds both from quotes: sizes and what they cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.units import USD, Usd, mul_div_down, mul_div_up

PPM = 1_000_000
NEVER = 10**40
"""Dollars for what no pool has."""


@dataclass(frozen=True, slots=True)
class Depth:
    """One pool. ``fee_ppm`` is in millionths, a service's own charge included."""

    depth: Usd = Usd(40_000_000 * USD)  # noqa: RUF009 - a number
    fee_ppm: int = 500

    def dollars_for(self, bought: int) -> int:
        """Return what must be given for so many dollars' worth."""
        if bought >= self.depth:
            return NEVER
        moved = mul_div_up(bought, self.depth, self.depth - bought)
        return mul_div_up(moved, PPM, PPM - self.fee_ppm)

    def dollars_from(self, given: int) -> int:
        """Return how many dollars' worth come of so many, rounded down."""
        left = mul_div_down(given, PPM - self.fee_ppm, PPM)
        return mul_div_down(left, self.depth, self.depth + left)

    def dearer(self, ppm: int) -> Depth:
        """Return the pool with a further charge on what is given."""
        return Depth(self.depth, self.fee_ppm + ppm)


def fitted(quotes: Sequence[tuple[float, float]]) -> Depth:
    """Return the pool that quotes come nearest to: (dollars bought, basis points that they cost). Least squares.

    Raises ValueError where they describe none: a fee below zero, or larger trades that are cheaper.
    """
    if len(quotes) < 2 or len({size for size, _ in quotes}) < 2:
        raise ValueError("quotes of two sizes at least tell a fee from an impact")
    if any(not 0 < size < 1e15 or not 0 <= bps < 10_000 for size, bps in quotes):
        raise ValueError("a quote is SIZE=BPS: dollars above zero, and basis points that it costs")
    mean_x = sum(size for size, _ in quotes) / len(quotes)
    mean_y = sum(bps for _, bps in quotes) / len(quotes)
    spread = sum((size - mean_x) ** 2 for size, _ in quotes)
    slope = sum((size - mean_x) * (bps - mean_y) for size, bps in quotes) / spread
    fee = mean_y - slope * mean_x
    if slope <= 0 or fee < 0:
        raise ValueError("the quotes fit no pool: larger trades cost more, and none costs less than its fee")
    return Depth(Usd(int(10_000 / slope * USD)), round(fee * 100))
