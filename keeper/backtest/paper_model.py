"""The paper market's arithmetic. It rounds as Aave v3.5 and later do: collateral down, debt up, thresholds by units."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from keeper.core.lending.position import AccountFigures, Holding
from keeper.core.units import BPS, INFINITE, WAD, Amount, Bps, Wad, mul_div_down, mul_div_nearest

YEAR_S = 365 * 86_400
BPS_WAD = WAD // BPS


@dataclass(frozen=True, slots=True)
class PaperModel:
    """The market's arithmetic. Interest: supplies grow evenly, debts as e^x, from the last change."""

    frees_to_limit: bool = False
    """Whether collateral leaves down to the borrow limit only, which comes before liquidation."""

    @property
    def facts(self) -> Mapping[str, object]:
        """Nothing of its own is worth keeping."""
        return {}

    @property
    def mode(self) -> Hashable:
        """One alone."""
        return None

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        """Return what holdings come to."""
        collateral = debt = by_ltv = by_threshold = 0
        for h in holdings:
            if h.is_collateral:
                value = h.supplied * h.price.answer // h.unit
                collateral += value
                by_ltv += value * h.borrow_factor // BPS_WAD
                by_threshold += value * h.liquidation_factor // BPS_WAD
            if h.borrowed:
                debt += -(-h.borrowed * h.price.answer // h.unit)
        ltv, threshold = (by_ltv // collateral, by_threshold // collateral) if collateral else (0, 0)
        health = mul_div_nearest(by_threshold, WAD, debt) // BPS if debt else INFINITE
        free = mul_div_down(collateral, ltv, BPS) - debt
        free = free if self.frees_to_limit else max(0, free)
        return AccountFigures(collateral, debt, free, Bps(threshold), Bps(ltv), Wad(health))

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        """Return a holding with the interest of so many seconds."""
        if seconds <= 0 or not (holding.supplied or holding.borrowed):
            return holding
        rates = holding.rates
        x = rates.borrow * seconds // YEAR_S
        owed = WAD + x + x * x // (2 * WAD) + x * x * x // (6 * WAD * WAD)
        return holding.with_balances(
            Amount(holding.supplied + holding.supplied * rates.supply * seconds // (YEAR_S * WAD)),
            Amount(-(-holding.borrowed * owed // WAD)),
        )

    def lets_out(self, figures: AccountFigures) -> bool:
        """Whether collateral may leave, or debt grow."""
        return figures.available_borrows >= 0 if self.frees_to_limit else figures.health_factor >= WAD


MODEL = PaperModel()
