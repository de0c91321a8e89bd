"""Compound v2 calldata: a keeper's calls to the tokens, always for the owner's account. ``effects`` reads them back.

Whoever owes pays by ``repayBorrow``, a guardian by ``repayBorrowBehalf``; all of a debt is the contract's own value
(2^256 - 1), measured in the block that mines it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keeper.core.lending.moves import Borrow, MarketMove, Pledge, Repay, RepayWithCollateral, Supply, Unpledge, Withdraw
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.units import UINT256_MAX, Address, Wei
from keeper.venues.codec.abi import Function, load
from keeper.venues.ports import Call

if TYPE_CHECKING:
    from keeper.venues.compound_v2.market import V2Listing, V2Market

_TOKEN, _OF_NATIVE = load("compound_v2_token"), load("compound_v2_native")
_COMPTROLLER = load("compound_v2_comptroller")
LEAST_GAS = 500_000
"""Gas limit of a call: rehearsed in the block of a market's last touch it accrues nothing, and mined later it does."""
ROUNDED_UP = 32
"""Tokens that sales before may burn by rounding up: a unit each, worth nothing that is seen."""


def encode_move(  # noqa: C901 - a case for each move, by owner and by guardian
    market: V2Market, move: MarketMove, position: LendingPosition, signer: Address
) -> Call:
    """Return the call of a move. Raises ValueError for one that the market does not have."""
    owner, listing = position.owner, market.listing(move.asset)
    if isinstance(move, Pledge):
        return _enter(market, listing, owner, signer)
    if listing.is_native:
        return _by_value(listing, move, owner, signer)

    def call(function: Function, what: str, *args: object) -> Call:
        return Call(listing.token, function.encode(*args), Wei(0), f"{what} {listing.symbol}", LEAST_GAS)

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


def _enter(market: V2Market, listing: V2Listing, owner: Address, signer: Address) -> Call:
    """Return the call that has one market count. Raises ValueError for a guardian: it would be his own account's."""
    if signer != owner:
        raise ValueError(f"{listing.symbol}: enterMarkets is for the account that sends it")
    what = f"have {listing.symbol} count as collateral"
    return Call(market.comptroller, _COMPTROLLER.enterMarkets.encode([listing.token]), Wei(0), what, LEAST_GAS)


def _by_value(listing: V2Listing, move: MarketMove, owner: Address, signer: Address) -> Call:
    """Return the call that pays the chain's own currency. Raises ValueError for one that takes some out."""
    match move:
        case Supply(_, amount) if signer == owner:
            return Call(listing.token, _OF_NATIVE.mint.encode(), Wei(amount), f"supply {listing.symbol}", LEAST_GAS)
        case Repay(_, amount, is_all=False):
            data = _OF_NATIVE.repayBorrow.encode() if signer == owner else _OF_NATIVE.repayBorrowBehalf.encode(owner)
            return Call(listing.token, data, Wei(amount), f"repay {listing.symbol}", LEAST_GAS)
        case _:
            raise ValueError(
                f"{type(move).__name__} of {listing.symbol}, this chain's own currency, is nothing it does"
            )


def _tokens_left(move: Withdraw, held: Holding) -> int:
    """Return the tokens that all is by then: at most what sales of the same plan leave, at today's rate or a later."""
    tokens, left = held.principal.supply, move.named(held.supplied)
    return tokens if left >= held.supplied else max(1, tokens * left // held.supplied - ROUNDED_UP)
