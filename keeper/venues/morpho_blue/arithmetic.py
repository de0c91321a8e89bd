"""Morpho Blue's integers: shares with virtual amounts, interest in three Taylor terms, the incentive of liquidators.

Sources: morpho-blue 1.0.0, ``SharesMathLib``, ``MathLib``, ``Morpho._accrueInterest``, ``Morpho.liquidate``; the curve
is ``AdaptiveCurveIrm._curve``. Rates are shares of 1 a second, in Wad.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.units import WAD, Amount, Wad, mul_div_down, mul_div_up

VIRTUAL_SHARES, VIRTUAL_ASSETS = 10**6, 1
ORACLE_SCALE = 10**36
YEAR_S = 365 * 86_400
CURSOR, MOST_INCENTIVE = 3 * WAD // 10, 115 * WAD // 100
TARGET = 9 * WAD // 10
STEEPNESS = 4 * WAD
FIRST_RATE = 4 * WAD // 100 // YEAR_S
"""What the curve charges at its target before it was ever asked."""


@dataclass(frozen=True, slots=True)
class Totals:
    """A market's totals, as ``market(id)`` returns them: at its last update."""

    supply: int
    supply_shares: int
    borrow: int
    borrow_shares: int
    updated: int
    fee: int

    @property
    def liquidity(self) -> Amount:
        """What can be borrowed."""
        return Amount(max(0, self.supply - self.borrow))

    @property
    def utilisation(self) -> Wad:
        """Share of all supplies that is lent out, rounded up."""
        return Wad(mul_div_up(self.borrow, WAD, self.supply)) if self.supply else Wad(0)

    def owed(self, shares: int) -> Amount:
        """Return what shares of the debt come to, rounded up."""
        return Amount(mul_div_up(shares, self.borrow + VIRTUAL_ASSETS, self.borrow_shares + VIRTUAL_SHARES))

    def grown(self, growth: Wad) -> Totals:
        """Return the totals after interest: what it costs is all that matters to a debt."""
        interest = mul_div_down(self.borrow, growth, WAD)
        return Totals(
            self.supply + interest,
            self.supply_shares,
            self.borrow + interest,
            self.borrow_shares,
            self.updated,
            self.fee,
        )


def compounded(rate: int, seconds: int) -> Wad:
    """Return the growth of a debt in so many seconds (``wTaylorCompounded``)."""
    first = rate * seconds
    second = mul_div_down(first, first, 2 * WAD)
    third = mul_div_down(second, first, 3 * WAD)
    return Wad(first + second + third)


def incentive(lltv: int) -> Wad:
    """Return by how much what a liquidator takes exceeds what he pays, as a factor."""
    return Wad(min(MOST_INCENTIVE, WAD * WAD // (WAD - CURSOR * (WAD - lltv) // WAD)))


def most_debt(collateral: int, price: int, lltv: int) -> int:
    """Return the most that may be owed against collateral; liquidation begins above it."""
    return collateral * price // ORACLE_SCALE * lltv // WAD


def curve(rate_at_target: int, totals: Totals) -> int:
    """Return what the adaptive curve charges now, by its rate at the target and the utilisation."""
    used = mul_div_down(totals.borrow, WAD, totals.supply) if totals.supply else 0
    span = WAD - TARGET if used > TARGET else TARGET
    error = _to_zero((used - TARGET) * WAD, span)
    coefficient = WAD - WAD * WAD // STEEPNESS if error < 0 else STEEPNESS - WAD
    return _to_zero((_to_zero(coefficient * error, WAD) + WAD) * (rate_at_target or FIRST_RATE), WAD)


def average_rate(before: Totals, after: Totals) -> int | None:
    """Return the rate that debts grew by between two totals, rounded up; None where no time passed or none is owed."""
    seconds, interest = after.updated - before.updated, after.borrow - before.borrow
    if seconds <= 0 or before.borrow <= 0 or interest < 0:
        return None
    return -(-interest * WAD // (before.borrow * seconds))


def _to_zero(value: int, by: int) -> int:
    """Divide rounding towards zero, as Solidity does."""
    return value // by if value >= 0 else -(-value // by)
