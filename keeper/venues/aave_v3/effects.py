"""What calls to an Aave v3 market do: the gate's own reading of them, apart from ``calls``, which makes them.

Of the pool's functions a keeper calls six, always at the variable rate and without a referral; of an aToken's one.
"""

from __future__ import annotations

from keeper.core.units import UINT256_MAX, Address
from keeper.venues.codec.calldata import decoder, refuse
from keeper.venues.effects import Borrows, Decoder, Effect, Insists, Offsets, Pays, Takes, Unpledges

VARIABLE = 2
ALL = UINT256_MAX
"""``type(uint256).max``: to the pool the whole balance or the whole debt."""


def pool_decoder(pool: Address) -> Decoder:
    """Return what a call to the pool does. It takes what is paid by its own allowance."""

    def supply(asset: Address, amount: int, owner: Address, referral: int) -> tuple[Effect, ...]:
        refuse(referral != 0, "a referral")
        return (Pays(asset, amount, owner, pool),)

    def repay(asset: Address, amount: int, rate: int, owner: Address) -> tuple[Effect, ...]:
        refuse(rate != VARIABLE, f"interest rate mode {rate}")
        return (Pays(asset, None if amount == ALL else amount, owner, pool),)

    return decoder(
        {
            "supply(address,uint256,address,uint16)": supply,
            "repay(address,uint256,uint256,address)": repay,
            "withdraw(address,uint256,address)": _withdraw,
            "borrow(address,uint256,uint256,uint16,address)": _borrow,
            "repayWithATokens(address,uint256,uint256)": _repay_with_supply,
            "setUserUseReserveAsCollateral(address,bool)": _unpledge,
        }
    )


def a_token_decoder(asset: Address) -> Decoder:
    """Return what a call to an aToken does: to its holder a transfer moves nothing, and reverts where he has less.

    The gate lets nobody but the owner be named, and nobody but him send it.
    """

    def transfer(to: Address, amount: int) -> tuple[Effect, ...]:
        return (Insists(asset, amount, to),)

    return decoder({"transfer(address,uint256)": transfer})


def _withdraw(asset: Address, amount: int, recipient: Address) -> tuple[Effect, ...]:
    return (Takes(asset, None if amount == ALL else amount, recipient),)


def _borrow(asset: Address, amount: int, rate: int, referral: int, owner: Address) -> tuple[Effect, ...]:
    refuse(rate != VARIABLE, f"interest rate mode {rate}")
    refuse(referral != 0, "a referral")
    return (Borrows(asset, amount, owner),)


def _repay_with_supply(asset: Address, amount: int, rate: int) -> tuple[Effect, ...]:
    refuse(rate != VARIABLE, f"interest rate mode {rate}")
    return (Offsets(asset, amount),)


def _unpledge(asset: Address, counts: bool) -> tuple[Effect, ...]:
    refuse(counts, "switching collateral on")
    return (Unpledges(asset),)
