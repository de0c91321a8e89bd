"""Compound v2 calldata: a keeper's calls to the tokens, always for the owner's account. ``effects`` reads them back.

Whoever owes pays by ``repayBorrow``, a guardian by ``repayBorrowBehalf``; all of a debt is the contract's own value
(2^256 - 1), measured in the block that mines it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keeper.core.lending.moves import Borrow, MarketMove, Repay, RepayWithCollateral, Supply, Unpledge, Withdraw
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.units import UINT256_MAX, Address, Wei
from keeper.venues.codec.abi import Function, load
from keeper.venues.ports import Call

if TYPE_CHECKING:
    from keeper.venues.compound_v2.market import V2Market

_TOKEN = load("compound_v2_token")
ROUNDED_UP = 32
"""Tokens that sales before may burn by rounding up: a unit each, worth nothing that is seen."""


def encode_move(  # noqa: C901 - a case for each move, by owner and by guardian
    market: V2Market, move: MarketMove, position: LendingPosition, signer: Address
) -> Call:
    """Return the call of a move. Raises ValueError for one that the market does not have."""
    owner, listing = position.owner, market.listing(move.asset)
    if listing.is_native:
        raise ValueError(f"{listing.symbol} is this chain's own currency here, which a keeper does not pay")

    def call(function: Function, what: str, *args: object) -> Call:
        return Call(listing.token, function.encode(*args), Wei(0), f"{what} {listing.symbol}")

    match move:
        case Supply(_, amount):
            if signer == owner:
                return call(_TOKEN.mint, "supply", amount)
            return call(_TOKEN.mintBehalf, "supply", owner, amount)
        case Withdraw(asset, None):
            return call(_TOKEN.redeem, "withdraw", _tokens_left(move, position.holding(asset)))
        case Withdraw(_, amount):
            return call(_TOKEN.redeemUnderlying, "withdraw", amount)
        case Borrow(_, amount):
            return call(_TOKEN.borrow, "borrow", amount)
        case Repay(_, amount, is_all):
            paid = UINT256_MAX if is_all else amount
            if signer == owner:
                return call(_TOKEN.repayBorrow, "repay", paid)
            return call(_TOKEN.repayBorrowBehalf, "repay", owner, paid)
        case Unpledge() | RepayWithCollateral():
            raise ValueError(f"{type(move).__name__} is nothing that this market does")


def _tokens_left(move: Withdraw, held: Holding) -> int:
    """Return the tokens that all is by then: at most what sales of the same plan leave, at today's rate or a later."""
    tokens, left = held.principal.supply, move.named(held.supplied)
    return tokens if left >= held.supplied else max(1, tokens * left // held.supplied - ROUNDED_UP)
