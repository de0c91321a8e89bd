"""How much of a debt one liquidation may pay back, and what a market keeps that takes all: each protocol's rule."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.units import BPS, WAD, Address, Bps, Usd, Wad


@dataclass(frozen=True, slots=True)
class CloseRule:
    """How much of a debt one liquidation may pay back: ``usual`` of it; all, at a health or where little is left."""

    usual: Bps
    all_at: Wad
    """At this health factor or less all of a debt may be paid back."""
    all_under: Usd
    """Where the collateral or the debt is worth less than this, likewise."""
    discounts: tuple[tuple[Address, Wad], ...] = ()
    """Where a market takes all collateral at once: the share of each one's value that it keeps."""

    def share(self, health: int, collateral: int, debt: int) -> Bps:
        """Return the share of a debt that may be paid back."""
        is_all = health <= self.all_at or min(collateral, debt) < self.all_under
        return Bps(BPS) if is_all else self.usual


WHOLE = CloseRule(Bps(BPS), Wad(WAD), Usd(0))
"""All of a debt at once: Morpho Blue, and whoever says nothing."""
