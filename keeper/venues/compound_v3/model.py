"""A Comet account's arithmetic: what its collaterals carry at each of two limits, over what it owes.

Sources: comet, ``isLiquidatable``, ``isBorrowCollateralized``, ``accruedInterestIndices``. All divisions round down, in
the market's own price unit of 10^-8. The contract's views use the index of the last accrual; a liquidation accrues
first, so the debt here is the accrued one. Figures are held against recordings of the real contracts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from keeper.core.lending.position import AccountFigures, Holding
from keeper.core.units import BPS, INFINITE, USD, WAD, Address, Amount, Bps, Wad, mul_div_down, mul_div_up

INDEX = 10**15
YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Curve:
    """What borrowing costs by utilisation, a second, in Wad."""

    kink: int
    base: int
    low: int
    high: int

    def rate(self, utilisation: int) -> int:
        """Return the rate at a utilisation."""
        if utilisation <= self.kink:
            return self.base + self.low * utilisation // WAD
        return self.base + self.low * self.kink // WAD + self.high * (utilisation - self.kink) // WAD


@dataclass(frozen=True, slots=True)
class Totals3:
    """A market's totals, as ``totalsBasic`` returns them: at the last accrual."""

    supply_index: int
    borrow_index: int
    supply_base: int
    borrow_base: int
    accrued_at: int

    @property
    def utilisation(self) -> int:
        """Share of the supplies that is lent out, by the stored indices; it may exceed one."""
        supplied = self.supply_base * self.supply_index // INDEX
        return self.borrow_base * self.borrow_index // INDEX * WAD // supplied if supplied else 0

    def borrow_index_at(self, now: int, rate: int) -> int:
        """Return the index of debts at a time: one simple step, however long."""
        return self.borrow_index + self.borrow_index * (rate * max(0, now - self.accrued_at)) // WAD


@dataclass(frozen=True, slots=True)
class CometModel:
    """One account at one block. ``raw`` are the market's own prices, with the dollars they were read to be."""

    base: Address
    raw: tuple[tuple[Address, int, int], ...]
    money: int
    """Dollars of 10^-8 that one of the market's own price unit is: 10^8 where it counts in dollars."""
    principal: int
    """Of the debt, in units of the index."""
    index: int
    """Of debts at the block, accrued."""
    rate: int

    @property
    def facts(self) -> Mapping[str, object]:
        """The accrued index, the rate, and what the market's price unit is worth."""
        return {"borrow_index": str(self.index), "rate_per_second": str(self.rate), "money_usd": str(self.money)}

    @property
    def mode(self) -> Hashable:
        """One alone."""
        return None

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        """Return what the contract makes of these holdings; values in dollars."""
        debt = next((h for h in holdings if h.asset == self.base), None)
        owed = mul_div_down(debt.borrowed, self._price(debt), debt.unit) if debt else 0
        backing = [h for h in holdings if h.is_collateral and h.supplied]
        values = [mul_div_down(h.supplied, self._price(h), h.unit) for h in backing]
        carried = sum(v * h.liquidation_factor // WAD for v, h in zip(values, backing, strict=True))
        lent = sum(v * h.borrow_factor // WAD for v, h in zip(values, backing, strict=True))
        worth = sum(values)
        return AccountFigures(
            collateral_value=sum(mul_div_down(h.supplied, h.price.answer, h.unit) for h in backing),
            debt_value=mul_div_up(debt.borrowed, debt.price.answer, debt.unit) if debt else 0,
            available_borrows=(lent - owed) * self.money // USD,
            average_threshold=Bps(carried * BPS // worth if worth else 0),
            average_ltv=Bps(lent * BPS // worth if worth else 0),
            health_factor=Wad(min(INFINITE, mul_div_down(carried, WAD, owed))) if owed else INFINITE,
        )

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        """Return a holding with the interest of so many seconds after the read: collateral earns none."""
        if holding.asset != self.base or not (self.principal or holding.borrowed):
            return holding
        index = self.index + self.index * (self.rate * seconds) // WAD
        changed = holding.borrowed - self.principal * self.index // INDEX
        rest = mul_div_up(changed, index, self.index) if changed >= 0 else -mul_div_down(-changed, index, self.index)
        return replace(holding, borrowed=Amount(max(0, self.principal * index // INDEX + rest)))

    def lets_out(self, figures: AccountFigures) -> bool:
        """Whether collateral may leave, or debt grow: not one unit while the debt is above the *borrow* limit."""
        return figures.available_borrows >= 0

    def _price(self, of: Holding) -> int:
        """Return the market's own price of a holding: as read, or moved as its dollars did."""
        for asset, raw, answer in self.raw:
            if asset == of.asset:
                return raw if of.price.answer == answer else mul_div_up(raw, of.price.answer, answer) if answer else 0
        return of.price.answer
