"""Compound v3 calldata: a keeper's two calls, always for the owner's account. ``effects`` reads them back for the gate.

Whoever supplies the base asset repays a debt with it; whoever takes it out without a supply of his own borrows. The
whole debt is the contract's own value (2^256 - 1): it is measured in the block that mines it, and nothing is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keeper.core.lending.moves import Borrow, MarketMove, Pledge, Repay, RepayWithCollateral, Supply, Unpledge, Withdraw
from keeper.core.lending.position import LendingPosition
from keeper.core.units import UINT256_MAX, Address, Wei
from keeper.venues.codec.abi import Function, load
from keeper.venues.ports import Call

if TYPE_CHECKING:
    from keeper.venues.compound_v3.market import CometMarket

_COMET = load("compound_v3")


def encode_move(market: CometMarket, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
    """Return the call of a move. Raises ValueError for one that the market does not have."""
    owner, symbol = position.owner, market.listing(move.asset).symbol
    if (move.asset == market.base) is not isinstance(move, Borrow | Repay):
        raise ValueError(f"{type(move).__name__} of {symbol} is nothing this market does")

    def call(function: Function, what: str, amount: int) -> Call:
        return Call(market.comet, function.encode(owner, move.asset, amount), Wei(0), f"{what} {symbol}")

    match move:
        case Supply(_, amount):
            return call(_COMET.supplyTo, "supply", amount)
        case Withdraw(asset):
            amount = move.named(position.holding(asset).supplied)
            return call(_COMET.withdrawTo, "withdraw", amount)
        case Borrow(_, amount):
            return call(_COMET.withdrawTo, "borrow", amount)
        case Repay(_, amount, is_all):
            return call(_COMET.supplyTo, "repay", UINT256_MAX if is_all else amount)
        case Pledge() | Unpledge() | RepayWithCollateral():
            raise ValueError(f"{type(move).__name__} is nothing that Compound v3 does")
