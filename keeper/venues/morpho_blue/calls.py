"""Morpho Blue calldata: a keeper's four calls, always for the owner's account. ``effects`` reads them for the gate.

A debt is repaid whole by its *shares*: by assets the last unit could not be paid (it rounds up, and would burn a share
too many) or shares would stay behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keeper.core.lending.moves import Borrow, MarketMove, Pledge, Repay, RepayWithCollateral, Supply, Unpledge, Withdraw
from keeper.core.lending.position import LendingPosition
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import Function, load
from keeper.venues.ports import Call

if TYPE_CHECKING:
    from keeper.venues.morpho_blue.market import MorphoMarket

_BLUE = load("morpho_blue")


def encode_move(market: MorphoMarket, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
    """Return the call of a move. Raises ValueError for one that the market does not have."""
    owner, params = position.owner, market.params.words
    symbol = market.listing(move.asset).symbol
    meant = market.params.loan if isinstance(move, Borrow | Repay) else market.params.collateral
    if move.asset != meant:
        raise ValueError(f"{type(move).__name__} of {symbol} is nothing this market does")

    def call(function: Function, what: str, *args: object) -> Call:
        return Call(market.blue, function.encode(params, *args), Wei(0), f"{what} {symbol}")

    match move:
        case Supply(_, amount):
            return call(_BLUE.supplyCollateral, "supply", amount, owner, b"")
        case Withdraw(asset):
            amount = move.named(position.holding(asset).supplied)
            return call(_BLUE.withdrawCollateral, "withdraw", amount, owner, owner)
        case Borrow(_, amount):
            return call(_BLUE.borrow, "borrow", amount, 0, owner, owner)
        case Repay(asset, amount, is_all):
            shares = position.holding(asset).principal.debt
            paid = (0, shares) if is_all and shares else (amount, 0)
            return call(_BLUE.repay, "repay", *paid, owner, b"")
        case Pledge() | Unpledge() | RepayWithCollateral():
            raise ValueError(f"{type(move).__name__} is nothing that Morpho Blue does")
