"""A Compound v2 account's arithmetic: what its supplies carry at each of two limits, over what it owes.

Source: venus-protocol 10.3.0, ``ComptrollerLens``, ``ExponentialNoError``; its truncations in its order. Prices are
dollars for one smallest unit, times 10^36; sums are dollars times 10^18.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from keeper.core.lending.position import AccountFigures, Holding
from keeper.core.units import BPS, INFINITE, WAD, Address, Amount, Bps, Wad, mul_div_down, mul_div_up

YEAR_S = 365 * 86_400
TO_USD = 10**10
"""What of the contract's dollars is one of ours."""


@dataclass(frozen=True, slots=True)
class V2Terms:
    """What the contract knows of one asset of an account, accrued to the block."""

    price: int
    """Dollars of one smallest unit, times 10^36."""
    answer: int
    """The same as the keeper shows it, in 10^-8 dollars for a whole token."""
    exchange: int
    """Smallest units of the asset that one of its tokens is, times 10^18."""


def truncated(a: int, b: int) -> int:
    """Return a product of two mantissas."""
    return a * b // WAD


@dataclass(frozen=True, slots=True)
class V2Model:
    """One account at one block."""

    terms: Mapping[Address, V2Terms]

    @property
    def facts(self) -> Mapping[str, object]:
        """Nothing that the holdings do not say."""
        return {}

    @property
    def mode(self) -> Hashable:
        """One alone."""
        return None

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        """Return what the comptroller makes of these holdings."""
        backing = [h for h in holdings if h.is_collateral and h.supplied]
        worth = sum(self._weighted(h, WAD) for h in backing)
        carried = sum(self._weighted(h, h.liquidation_factor) for h in backing)
        lent = sum(self._weighted(h, h.borrow_factor) for h in backing)
        owed = sum(truncated(self._price(h), h.borrowed) for h in holdings if h.borrowed)
        return AccountFigures(
            collateral_value=worth // TO_USD,
            debt_value=-(-owed // TO_USD),
            available_borrows=(lent - owed) // TO_USD,
            average_threshold=Bps(carried * BPS // worth if worth else 0),
            average_ltv=Bps(lent * BPS // worth if worth else 0),
            health_factor=Wad(min(INFINITE, mul_div_down(carried, WAD, owed))) if owed else INFINITE,
        )

    def liquidity(self, holdings: tuple[Holding, ...], *, by_borrow_limit: bool = False) -> tuple[int, int]:
        """Return what is left and what is missing in the contract's own dollars, as ``getAccountLiquidity`` does."""
        backing = [h for h in holdings if h.is_collateral and h.supplied]
        factors = [h.borrow_factor if by_borrow_limit else h.liquidation_factor for h in backing]
        carried = sum(self._weighted(h, f) for h, f in zip(backing, factors, strict=True))
        owed = sum(truncated(self._price(h), h.borrowed) for h in holdings if h.borrowed)
        return max(0, carried - owed), max(0, owed - carried)

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        """Return a holding with the interest that its debt costs in so many seconds; what it earns is left out."""
        if not holding.borrowed:
            return holding
        grown = holding.borrowed + mul_div_up(holding.borrowed * holding.rates.borrow, seconds, WAD * YEAR_S)
        return replace(holding, borrowed=Amount(grown))

    def lets_out(self, figures: AccountFigures) -> bool:
        """Whether collateral may leave, or debt grow: by the borrow limit, which comes before liquidation."""
        return figures.available_borrows >= 0

    def _weighted(self, of: Holding, factor: int) -> int:
        exchange = self.terms[of.asset].exchange
        return truncated(truncated(truncated(factor, exchange), self._price(of)), self._tokens(of, exchange))

    def _tokens(self, of: Holding, exchange: int) -> int:
        """Return how many tokens a supply is: as read, or as many as it would be."""
        read = of.principal.supply
        return read if truncated(read, exchange) == of.supplied else of.supplied * WAD // exchange

    def _price(self, of: Holding) -> int:
        """Return the contract's own price: as read, or moved as its dollars did."""
        terms = self.terms[of.asset]
        if of.price.answer == terms.answer:
            return terms.price
        return mul_div_down(terms.price, of.price.answer, terms.answer) if terms.answer else of.price.answer
