"""A position as prices see it: what counts for it and what against it, each by the asset it moves with. Pure.

A loan is liquidated where its weighted collateral meets its debts. So is a perpetual: a long's size, less what its
venue wants kept, against what was paid for it less the margin; a short's margin and proceeds against what buying
back costs. One form serves both, and a position of several markets as well: the probability is told once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.perp import margin as perps
from keeper.core.perp.position import FACTOR, MarginBasis, PerpPosition
from keeper.core.units import WAD, Address

CASH = Address("cash")
"""What no price moves: dollars of a margin account, what was paid at opening."""


@dataclass(frozen=True, slots=True)
class Facing:
    """By asset what secures and what is owed, in one money at the prices of now; ``carry``: what interest adds a year.

    Amounts are floats: they are shares of each other, and nothing is ever paid by them.
    """

    secured: Mapping[Address, float]
    owed: Mapping[Address, float]
    carry: float = 0.0

    @property
    def distance(self) -> float:
        """The logarithm of what secures over what is owed: zero or less when liquidation has begun."""
        up, down = sum(self.secured.values()), sum(self.owed.values())
        if down <= 0:
            return math.inf
        return math.log(up / down) if up > 0 else -math.inf

    @property
    def shares(self) -> tuple[dict[Address, float], dict[Address, float]]:
        """Each asset's share of what secures, and of what is owed."""
        return _normed(self.secured), _normed(self.owed)


def of_loan(p: LendingPosition) -> Facing:
    """Return a loan's: collateral by its liquidation factor, and what is owed, in the market's own money."""
    secured = {
        h.asset: value * h.liquidation_factor / WAD
        for h in p.held
        if h.is_collateral and (value := _worth(h, h.supplied))
    }
    owed = {h.asset: _worth(h, h.borrowed) for h in p.held if h.borrowed}
    found = Facing(secured, owed)
    ups, downs = found.shares
    carry = sum(
        ups.get(h.asset, 0.0) * h.rates.supply / WAD - downs.get(h.asset, 0.0) * h.rates.borrow / WAD for h in p.held
    )
    return replace(found, carry=carry)


def of_perp(p: PerpPosition) -> Facing | None:
    """Return a perpetual's, in dollars; None without a size, for nobody liquidates that.

    Where the venue wants a share of the size or a least sum, whichever is more, the nearer of the two counts.
    """
    if not p.held:
        return None
    kept = [_perp(p, p.maintenance / FACTOR, 0.0)]
    if p.least_requirement:
        kept.append(_perp(p, 0.0, p.least_requirement / p.usd_unit))
    return min(kept, key=lambda balance: balance.distance)


def _perp(p: PerpPosition, share: float, least: float) -> Facing:
    """Return what it is where so much of its size, or so many dollars, must be left of its worth."""
    secured, owed, cash = dict[Address, float](), dict[Address, float](), float(p.margin) / p.usd_unit - least
    for leg in p.held:
        sized, entry = perps.notional(leg) / p.usd_unit, leg.entry_notional / p.usd_unit
        kept = share * (sized if p.basis is MarginBasis.NOTIONAL else 0.0)
        asset, into = leg.oracle.asset, secured if leg.is_long else owed
        into[asset] = into.get(asset, 0.0) + (sized - kept if leg.is_long else sized + kept)
        cash += (-entry if leg.is_long else entry) - perps.owed(leg) / p.usd_unit
        cash -= share * entry if p.basis is MarginBasis.ENTRY else 0.0
    if p.indexed_margin:
        leg = p.legs[0]
        worth = p.indexed_margin * leg.mark_price / leg.price_scale / p.usd_unit
        secured[leg.oracle.asset] = secured.get(leg.oracle.asset, 0.0) + worth
    into, amount = (secured, cash) if cash >= 0 else (owed, -cash)
    into[CASH] = amount
    return _netted(secured, owed, paid_a_year(p))


def _netted(secured: dict[Address, float], owed: dict[Address, float], paid: float) -> Facing:
    """Return it with what stands on both sides taken off both, and what is paid in a year as a share of it."""
    for asset in secured.keys() & owed.keys():
        both = min(secured[asset], owed[asset])
        secured[asset], owed[asset] = secured[asset] - both, owed[asset] - both
    secured, owed = ({a: v for a, v in of.items() if v > 0} for of in (secured, owed))
    drained = sum((owed if CASH in owed else secured).values())
    return Facing(secured, owed, -paid / drained if drained > 0 else 0.0)


def paid_a_year(p: PerpPosition) -> float:
    """Return the dollars that funding takes (or brings, below zero) in a year at the rates of now."""
    return sum(perps.notional(leg) / p.usd_unit * leg.funding_rate / WAD for leg in p.held)


def _worth(h: Holding, amount: int) -> float:
    return amount * h.price.answer / h.unit


def _normed(values: Mapping[Address, float]) -> dict[Address, float]:
    total = sum(values.values())
    return {asset: value / total for asset, value in values.items()} if total > 0 else {}
