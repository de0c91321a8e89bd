"""A Morpho account's arithmetic: its most debt over its debt, as ``Morpho._isHealthy`` compares the two.

The market counts in its loan token. Prices here are dollars of 10^-8, which others say of the loan token; what the
oracle says of the two is kept beside them whole, so that health is the contract's to the last digit. At other prices
the oracle's answer moves as they do.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace

from keeper.core.lending.position import AccountFigures, Holding
from keeper.core.units import BPS, INFINITE, WAD, Address, Amount, Bps, Wad, mul_div_down, mul_div_up
from keeper.venues.morpho_blue.arithmetic import ORACLE_SCALE, Totals, compounded


@dataclass(frozen=True, slots=True)
class Quotation:
    """The oracle's price, and the dollars that the two tokens were read to be worth with it."""

    price: int
    collateral: int
    loan: int

    def at(self, collateral: int, loan: int) -> int:
        """Return the oracle's price when the tokens are worth other dollars.

        Rounded up: read back, it comes to just these dollars.
        """
        if (collateral, loan) == (self.collateral, self.loan):
            return self.price
        if not self.collateral or not loan:
            return 0
        return mul_div_up(self.price * collateral, self.loan, self.collateral * loan)


@dataclass(frozen=True, slots=True)
class MorphoModel:
    """One account in one market at one block. ``shares`` are its part of the debts in ``totals``."""

    collateral: Address
    loan: Address
    loan_unit: int
    lltv: Wad
    quotation: Quotation
    totals: Totals
    shares: int
    rate: int
    """Of a second, in Wad."""
    answer: bytes = field(default=b"", compare=False, repr=False)
    """What the account was read from, whole."""

    @property
    def facts(self) -> Mapping[str, object]:
        """The oracle's price, LLTV and the rate, as the contract has them."""
        return {"oracle_price": str(self.quotation.price), "lltv": str(self.lltv), "rate_per_second": str(self.rate)}

    @property
    def mode(self) -> Hashable:
        """A market's terms never change."""
        return None

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        """Return what the contract makes of these holdings; values in dollars, collateral down and debt up."""
        by_asset = {h.asset: h for h in holdings}
        secures, owes = by_asset.get(self.collateral), by_asset.get(self.loan)
        dollars = owes.price.answer if owes else self.quotation.loan
        worth = self._worth(secures, dollars) if secures and secures.is_collateral else 0
        owed, most = owes.borrowed if owes else 0, worth * self.lltv // WAD
        share = Bps(self.lltv * BPS // WAD)
        return AccountFigures(
            collateral_value=mul_div_down(worth, dollars, self.loan_unit),
            debt_value=mul_div_up(owed, dollars, self.loan_unit),
            available_borrows=mul_div_down(max(0, most - owed), dollars, self.loan_unit),
            average_threshold=share,
            average_ltv=share,
            health_factor=Wad(min(INFINITE, mul_div_down(most, WAD, owed))) if owed else INFINITE,
        )

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        """Return a holding with the interest of so many seconds after the read: collateral earns none."""
        if holding.asset != self.loan or not (self.shares or holding.borrowed):
            return holding
        growth = compounded(self.rate, seconds)
        changed = holding.borrowed - self.totals.owed(self.shares)
        owed = self.totals.grown(growth).owed(self.shares) + _grown(changed, growth)
        return replace(holding, borrowed=Amount(max(0, owed)))

    def lets_out(self, figures: AccountFigures) -> bool:
        """Whether collateral may leave, or debt grow: the contract asks for health 1 afterwards."""
        return figures.health_factor >= WAD

    def oracle_price(self, holdings: tuple[Holding, ...]) -> int:
        """Return what the oracle would say at the holdings' prices."""
        by_asset = {h.asset: h.price.answer for h in holdings}
        prices = by_asset.get(self.collateral, self.quotation.collateral), by_asset.get(self.loan, self.quotation.loan)
        return self.quotation.at(*prices)

    def _worth(self, secures: Holding, dollars: int) -> int:
        """Return the collateral in the loan's smallest units, rounded down."""
        return secures.supplied * self.quotation.at(secures.price.answer, dollars) // ORACLE_SCALE


def _grown(amount: int, growth: Wad) -> int:
    """Return what a projection changed of a debt, with interest; rounded against the owner."""
    return mul_div_up(amount, WAD + growth, WAD) if amount >= 0 else -mul_div_down(-amount, WAD + growth, WAD)
