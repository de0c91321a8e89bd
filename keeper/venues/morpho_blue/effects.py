"""What calls to Morpho Blue do: the gate's own reading of them, apart from ``calls``, which makes them.

Of the contract's functions a keeper calls four, always in the one market its position is in, and without callbacks; a
fifth for an owner who lets a lender's adapter act for the time of a plan.
"""

from __future__ import annotations

from collections.abc import Collection

from keeper.core.units import Address
from keeper.venues.codec.calldata import decoder, refuse
from keeper.venues.effects import Borrows, Decoder, Effect, Entrusts, Pays, Takes

PARAMS = "(address,address,address,address,uint256)"
Params = tuple[Address, Address, Address, Address, int]


def blue_decoder(blue: Address, market: Params, agents: Collection[Address] = ()) -> Decoder:
    """Return what a call to the contract does in one market. It takes what is paid by its own allowance.

    ``agents`` are those whom the owner may let act for him, or no more.
    """
    loan, collateral = market[0], market[1]

    def supply(params: Params, amount: int, owner: Address, data: bytes) -> tuple[Effect, ...]:
        _plain(params, data)
        return (Pays(collateral, amount, owner, blue),)

    def withdraw(params: Params, amount: int, owner: Address, to: Address) -> tuple[Effect, ...]:
        _plain(params)
        refuse(to != owner, "collateral for another than its owner")
        return (Takes(collateral, amount, to),)

    def borrow(params: Params, assets: int, shares: int, owner: Address, to: Address) -> tuple[Effect, ...]:
        _plain(params)
        refuse(shares != 0, "a loan by shares")
        refuse(to != owner, "a loan for another than who owes it")
        return (Borrows(loan, assets, owner),)

    def repay(params: Params, assets: int, shares: int, owner: Address, data: bytes) -> tuple[Effect, ...]:
        _plain(params, data)
        refuse((assets == 0) == (shares == 0), "a repayment by both assets and shares, or by neither")
        return (Pays(loan, None if shares else assets, owner, blue),)

    def _plain(params: Params, data: bytes = b"") -> None:
        refuse(params != market, "another market")
        refuse(data != b"", "a callback")

    def trust(about: Address, is_on: bool) -> tuple[Effect, ...]:
        refuse(about not in agents, f"{about} as an agent")
        return (Entrusts(about, is_on),)

    return decoder(
        {
            **({"setAuthorization(address,bool)": trust} if agents else {}),
            f"supplyCollateral({PARAMS},uint256,address,bytes)": supply,
            f"withdrawCollateral({PARAMS},uint256,address,address)": withdraw,
            f"borrow({PARAMS},uint256,uint256,address,address)": borrow,
            f"repay({PARAMS},uint256,uint256,address,bytes)": repay,
        }
    )
