"""What a fall of prices would cost, in whole numbers and by the protocol's own figures. Pure.

Everything that is no dollar falls together: what is lost of the owner's own, and what a liquidation takes where health
ends below one, by each collateral's own penalty upon what may be liquidated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan
from keeper.core.lending.position import AccountFigures, Holding, LendingPosition
from keeper.core.lending.seizure import seized
from keeper.core.units import BPS, USD, WAD, Address, Usd, Wad, mul_div_down, mul_div_up

NEAR_A_DOLLAR = 5
"""Percent by which a price may differ from a dollar and still stand for one."""


@dataclass(frozen=True, slots=True)
class Stressed:
    """A position after a shock: its figures, and what is lost. ``seized`` is what liquidation takes beyond the debt."""

    figures: AccountFigures
    lost: Usd
    seized: Usd

    @property
    def is_liquidated(self) -> bool:
        """Whether health ended below one."""
        return self.figures.health_factor < WAD

    @property
    def loss(self) -> Usd:
        """All of it."""
        return Usd(self.lost + self.seized)


def is_dollar(holding: Holding) -> bool:
    """Return whether an asset stands for a dollar, by its price now."""
    return abs(holding.usd_down(holding.unit) - USD) * 100 <= NEAR_A_DOLLAR * USD


def fallen(p: LendingPosition, fall: Wad) -> dict[Address, int]:
    """Return the prices of all that is no dollar after a fall, rounded down; never nothing."""
    return {h.asset: max(1, mul_div_down(h.price.answer, WAD - fall, WAD)) for h in p.held if not is_dollar(h)}


def stressed(p: LendingPosition, prices: Mapping[Address, int]) -> Stressed:
    """Return a position at other prices. A gain is no loss below nothing."""
    before, after = lending.account_of(p), lending.at_prices(lending.account_of(p), prices)
    figures = lending.figures(after)
    own = max(0, _own(before) - _own(after))
    return Stressed(figures, p.money.usd_up(own), _seized(p, after, figures) if figures.health_factor < WAD else Usd(0))


def _seized(p: LendingPosition, after: Loan, figures: AccountFigures) -> Usd:
    """Return what a liquidator takes, dollars: a market that absorbs an account takes a discount on all of it."""
    if p.closes is not None and p.closes.discounts:
        return seized(after, p.closes).loss
    return p.money.usd_up(taken(after, figures))


def taken(account: Loan, figures: AccountFigures) -> int:
    """Return what a liquidator takes beyond the debt that he pays, market money, rounded up: at the most.

    At the most the debt with its penalty, and no more than what secures it; the penalty is weighed by value.
    """
    penalty = weighed_penalty(account)
    paid = min(figures.debt_value, mul_div_up(figures.collateral_value, BPS, BPS + penalty))
    return mul_div_up(paid, penalty, BPS)


def weighed_penalty(account: Loan) -> int:
    """Return the penalty of what secures the debts in basis points, weighed by value, rounded up."""
    values = [(lending.value_down(h, h.supplied), h.penalty_bps) for h in account.holdings if h.is_collateral]
    total = sum(value for value, _ in values)
    return -(-sum(value * penalty for value, penalty in values) // total) if total else 0


def owned(p: LendingPosition, prices: Mapping[Address, int]) -> int:
    """Return what is the owner's own at other prices, dollars rounded down; below zero where more is owed."""
    value = _own(lending.at_prices(lending.account_of(p), prices))
    return int(p.money.usd_down(value)) if value >= 0 else -int(p.money.usd_up(-value))


def _own(account: Loan) -> int:
    """Return supply less debt in market money, each rounded against the owner."""
    return sum(
        lending.value_down(h, h.supplied) - mul_div_up(h.borrowed, h.price.answer, h.unit) for h in account.holdings
    )
