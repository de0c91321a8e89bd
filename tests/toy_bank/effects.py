"""What calls to the bank do: the gate's own reading of them, apart from the encoder in ``market``."""

from __future__ import annotations

from keeper.core.units import UINT256_MAX, Address
from keeper.venues.codec.calldata import decoder
from keeper.venues.effects import Borrows, Decoder, Effect, Pays, Takes


def bank_decoder(bank: Address, collateral: Address, debt: Address) -> Decoder:
    """Return what a call to the bank does: it takes what is paid by its own allowance."""

    def supply(amount: int, owner: Address) -> tuple[Effect, ...]:
        return (Pays(collateral, amount, owner, bank),)

    def withdraw(amount: int, to: Address) -> tuple[Effect, ...]:
        return (Takes(collateral, None if amount == UINT256_MAX else amount, to),)

    def borrow(amount: int, to: Address) -> tuple[Effect, ...]:
        return (Borrows(debt, amount, to),)

    def repay(amount: int, owner: Address) -> tuple[Effect, ...]:
        return (Pays(debt, None if amount == UINT256_MAX else amount, owner, bank),)

    return decoder(
        {
            "supply(uint256,address)": supply,
            "withdraw(uint256,address)": withdraw,
            "borrow(uint256,address)": borrow,
            "repay(uint256,address)": repay,
        }
    )
