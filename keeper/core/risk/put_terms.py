"""A put that the owner holds elsewhere: its terms alone, as settings and a report name them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.units import WAD, Usd, Wad, mul_div_down


@dataclass(frozen=True, slots=True)
class HeldPut:
    """A put that the owner holds: for which position or book, on what, and until when (unix seconds)."""

    name: str
    of: str
    underlying: str
    strike: Usd
    expiry: int
    size: Wad
    """Units of what it is on."""

    def pays(self, price: int) -> int:
        """Return what exercising it at a price brings, dollars, rounded down."""
        return mul_div_down(self.size, max(0, self.strike - price), WAD)
