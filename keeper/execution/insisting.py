"""What leads a batch that sells: calls that revert where the position no longer has what the plan was made from.

A liquidator who acts before us in our own block takes collateral and pays debt: then the sale is too large, and sells
what nobody asks for. The batch is all or nothing, so that one call that reverts calls all of it off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from keeper.core.lending.moves import Borrow, ByLoan, Flash, Move, Withdraw
from keeper.core.lending.position import Barred, Holding, LendingPosition
from keeper.core.lending.proposals import RACED
from keeper.core.units import Address, Amount, mul_div_down
from keeper.venues.effects import Call
from keeper.venues.ports import LendingMarket

MOST_GONE = 100
"""One part in so many may be gone: a sale too large by less does no harm, and nobody calls us off with a trifle."""
LEAST_SHARE = Fraction(1, 20)
"""Collateral that is a smaller share of all is not insisted on: what is taken of it changes little."""
MOST = 6
"""Assets that are insisted on, the largest first: each costs gas."""


def insist(moves: Sequence[Move], position: LendingPosition, market: LendingMarket) -> tuple[Call, ...]:
    """Return the calls: one for each collateral that matters, where the moves take anything out or borrow."""
    if not any(isinstance(move, Withdraw | Borrow | ByLoan) for move in moves):
        return ()
    found = (market.insist(h.asset, _least(h), position.owner) for h in _that_matter(position))
    return tuple(call for call in found if call is not None)


def insisted_on(lent: Sequence[Flash], position: LendingPosition) -> Mapping[Address, Amount]:
    """Return by collateral that loans of one call sell how much of it must still be there: near liquidation alone.

    A call that does it by itself asks for no other collateral: each would want a permit of its own.
    """
    if position.reported.health_factor > RACED:
        return {}
    sold = {loan.route.tokens[0] for loan in lent}
    return {h.asset: _least(h) for h in _that_matter(position) if h.asset in sold}


def _that_matter(position: LendingPosition) -> list[Holding]:
    """Return what a liquidator may take. What may not be moved, nobody takes."""
    backing = [h for h in position.holdings if h.supplied and h.is_collateral and h.liquidation_factor]
    total = sum(h.usd_down(h.supplied) for h in backing)
    movable = [
        h for h in backing if not isinstance(h.room.withdraw, Barred) and h.usd_up(h.supplied) >= total * LEAST_SHARE
    ]
    return sorted(movable, key=lambda h: h.usd_down(h.supplied), reverse=True)[:MOST]


def _least(holding: Holding) -> Amount:
    return Amount(mul_div_down(holding.supplied, MOST_GONE - 1, MOST_GONE))
