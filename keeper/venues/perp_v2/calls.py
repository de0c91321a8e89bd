"""Perpetual Protocol v2 calldata: a keeper's five calls. ``effects`` reads them back for the gate.

Trades are of an exact size of the underlying, always bounded in dollars and in time. The bound holds against what is
received or paid after the exchange's fee, so the fee is put into it: a trade at exactly the worst price goes through.
"""

from __future__ import annotations

from keeper.core.perp.moves import AddMargin, AllowMargin, PerpMove, TakeMargin, Trade
from keeper.core.units import WAD, Address, Wei, mul_div_down, mul_div_up
from keeper.venues.codec.abi import load
from keeper.venues.contracts.erc20 import encode_approve
from keeper.venues.perp_v2.markets import RATIO, PerpV2Deployment, PerpV2Market, PerpV2Scope
from keeper.venues.ports import Call

_HOUSE = load("perp_v2_clearing_house")
_VAULT = load("perp_v2_vault")
NO_LIMIT = 0
"""A price limit would let a trade be filled in part; the bound refuses it whole."""
NO_REFERRAL = b"\0" * 32


def encode_move(
    deployment: PerpV2Deployment, scope: PerpV2Scope, move: PerpMove, signer: Address, deadline: int
) -> Call:
    """Return the call of a move, void after ``deadline`` (unix seconds) where it trades.

    Margin may come from another signer than the owner (``depositFor``); everything else acts on the sender's account,
    so ValueError is raised unless the signer is the owner. ValueError, too, for what this venue does not have: resting
    orders, funding to claim. Closing a whole leg is bounded by the size it has now (``size_change``).
    """
    symbol, vault = deployment.collateral_symbol, deployment.vault
    match move:
        case AllowMargin(asset, amount):
            return encode_approve(asset, symbol, vault, amount, "Perp v2")
        case AddMargin(_, _, asset, amount) if signer == scope.owner:
            return Call(vault, _VAULT.deposit.encode(asset, amount), Wei(0), f"deposit {symbol}")
        case AddMargin(_, _, asset, amount):
            data = _VAULT.depositFor.encode(scope.owner, asset, amount)
            return Call(vault, data, Wei(0), f"deposit {symbol} for the owner")
        case TakeMargin(_, _, asset, amount) if signer == scope.owner:
            return Call(vault, _VAULT.withdraw.encode(asset, amount), Wei(0), f"withdraw {symbol}")
        case Trade() if signer == scope.owner:
            return _encode_trade(deployment, scope.market(move.market), move, deadline)
        case TakeMargin() | Trade():
            raise ValueError("only the owner of a Perp v2 account can trade or withdraw")
        case _:
            raise ValueError(f"Perp v2 has no {type(move).__name__}")


def bound(market: PerpV2Market, size_change: int, worst_price: int) -> int:
    """Return the least dollars a sale must bring, or the most a purchase may cost, fee included (10^-18).

    Raises ValueError when that is zero: to the contract a zero bound is none.
    """
    if size_change < 0:
        least = mul_div_up(-size_change, worst_price, WAD)
        found = least - mul_div_up(least, market.exchange_fee, RATIO)
    else:
        most = mul_div_down(size_change, worst_price, WAD)
        found = most + mul_div_up(most, market.exchange_fee, RATIO - market.exchange_fee)
    if found <= 0:
        raise ValueError(f"a trade of {size_change} at {worst_price} cannot be bounded")
    return found


def _encode_trade(deployment: PerpV2Deployment, market: PerpV2Market, trade: Trade, deadline: int) -> Call:
    house, base, change = deployment.clearing_house, market.base_token, trade.size_change
    verb = "sell" if change < 0 else "buy"
    if trade.is_close:
        order = (base, NO_LIMIT, bound(market, change, trade.worst_price), deadline, NO_REFERRAL)
        return Call(house, _HOUSE.closePosition.encode(order), Wei(0), f"close the {market.symbol} position")
    sells = change < 0  # a sale takes an exact input of base, a purchase an exact output
    limit = bound(market, change, trade.worst_price)
    order_open = (base, sells, sells, abs(change), limit, deadline, NO_LIMIT, NO_REFERRAL)
    return Call(house, _HOUSE.openPosition.encode(order_open), Wei(0), f"{verb} {market.symbol} on Perp v2")
