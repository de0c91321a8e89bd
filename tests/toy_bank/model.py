"""The bank's arithmetic: no interest, collateral rounded down, debts up. Source: ``ToyBank.sol``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from keeper.core.lending.position import AccountFigures, Holding
from keeper.core.units import BPS, INFINITE, WAD, Bps, Wad, mul_div_down, mul_div_up

THRESHOLD, FACTOR = Wad(80 * WAD // 100), Wad(75 * WAD // 100)


@dataclass(frozen=True, slots=True)
class ToyModel:
    """The arithmetic of one account."""

    @property
    def facts(self) -> Mapping[str, object]:
        """Nothing of the bank's own is worth keeping."""
        return {}

    @property
    def mode(self) -> Hashable:
        """One alone."""
        return None

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        """Return what the bank itself makes of these holdings, to the wei."""
        value = sum(mul_div_down(h.supplied, h.price.answer, h.unit) for h in holdings if h.is_collateral)
        owed = sum(mul_div_up(h.borrowed, h.price.answer, h.unit) for h in holdings)
        health = mul_div_down(value, THRESHOLD, owed) if owed else INFINITE
        free = max(0, mul_div_down(value, FACTOR, WAD) - owed)
        return AccountFigures(
            value, owed, free, Bps(THRESHOLD * BPS // WAD), Bps(FACTOR * BPS // WAD), Wad(min(health, INFINITE))
        )

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        """Return the holding as it was: there is no interest."""
        return holding

    def lets_out(self, figures: AccountFigures) -> bool:
        """Whether collateral may leave."""
        return figures.health_factor >= WAD
