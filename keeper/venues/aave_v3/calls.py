"""Aave v3 calldata: a keeper's six calls of the pool, and one of aTokens. ``effects`` reads them back for the gate."""

from __future__ import annotations

from keeper.core.lending.moves import Borrow, MarketMove, Pledge, Repay, RepayWithCollateral, Supply, Unpledge, Withdraw
from keeper.core.units import UINT256_MAX, Address, Amount, Wei
from keeper.venues.codec.abi import load
from keeper.venues.ports import Call

_POOL = load("aave_v3_pool")
_ERC20 = load("erc20")
VARIABLE_RATE = 2
NO_REFERRAL = 0


def encode_move(pool: Address, symbol: str, move: MarketMove, owner: Address, signer: Address) -> Call:
    """Return the call of a move, always for the owner's account and with the owner as recipient.

    "All" is the protocol's own value (2^256 - 1), except where a guardian repays for another: Aave refuses it
    there (NoExplicitAmountToRepayOnBehalf) and takes no more than is owed of an explicit amount.
    """
    match move:
        case Supply(asset, amount):
            data = _POOL.supply.encode(asset, amount, owner, NO_REFERRAL)
            return Call(pool, data, Wei(0), f"supply {symbol}")
        case Withdraw(asset, wanted):
            data = _POOL.withdraw.encode(asset, UINT256_MAX if wanted is None else wanted, owner)
            return Call(pool, data, Wei(0), f"withdraw {symbol}")
        case Pledge():
            raise ValueError(f"{symbol} counts as collateral by itself, or by nothing that a keeper does")
        case Unpledge(asset):
            data = _POOL.setUserUseReserveAsCollateral.encode(asset, False)
            return Call(pool, data, Wei(0), f"stop counting {symbol} as collateral")
        case Borrow(asset, amount):
            data = _POOL.borrow.encode(asset, amount, VARIABLE_RATE, NO_REFERRAL, owner)
            return Call(pool, data, Wei(0), f"borrow {symbol}")
        case Repay(asset, amount, is_all):
            value = UINT256_MAX if is_all and signer == owner else amount
            data = _POOL.repay.encode(asset, value, VARIABLE_RATE, owner)
            return Call(pool, data, Wei(0), f"repay {symbol}")
        case RepayWithCollateral(asset, amount):
            data = _POOL.repayWithATokens.encode(asset, amount, VARIABLE_RATE)
            return Call(pool, data, Wei(0), f"repay {symbol} with its own supply")


def encode_insist(a_token: Address, symbol: str, least: Amount, owner: Address) -> Call:
    """Return the call that goes through only while the owner has ``least`` of a supply: a transfer to himself.

    It moves nothing and asks for no health. A balance of aTokens only grows, unless somebody takes of it.
    """
    data = _ERC20.transfer.encode(owner, least)
    return Call(a_token, data, Wei(0), f"insist on {symbol} being there")
