"""What calls to a Compound v2 token do: the gate's own reading of them, apart from ``calls``, which makes them."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.core.units import UINT256_MAX, Address
from keeper.venues.codec.calldata import decoder, refuse
from keeper.venues.effects import Borrows, Call, Decoder, Effect, Pays, Pledges, Takes


def token_decoder(token: Address, asset: Address) -> Decoder:
    """Return what a call to a token does. It takes what is paid by its own allowance; nobody named is the sender."""

    def supply(amount: int) -> tuple[Effect, ...]:
        refuse(amount == UINT256_MAX, "a supply of all there is")
        return (Pays(asset, amount, None, token),)

    def supply_for(owner: Address, amount: int) -> tuple[Effect, ...]:
        refuse(amount == UINT256_MAX, "a supply of all there is")
        return (Pays(asset, amount, owner, token),)

    def redeem(_: int) -> tuple[Effect, ...]:
        return (Takes(asset, None, None),)

    def redeem_amount(amount: int) -> tuple[Effect, ...]:
        refuse(amount == UINT256_MAX, "all there is")
        return (Takes(asset, amount, None),)

    def borrow(amount: int) -> tuple[Effect, ...]:
        return (Borrows(asset, amount, None),)

    def repay(amount: int) -> tuple[Effect, ...]:
        return (Pays(asset, None if amount == UINT256_MAX else amount, None, token),)

    def repay_for(owner: Address, amount: int) -> tuple[Effect, ...]:
        return (Pays(asset, None if amount == UINT256_MAX else amount, owner, token),)

    return decoder(
        {
            "mint(uint256)": supply,
            "mintBehalf(address,uint256)": supply_for,
            "redeem(uint256)": redeem,
            "redeemUnderlying(uint256)": redeem_amount,
            "borrow(uint256)": borrow,
            "repayBorrow(uint256)": repay,
            "repayBorrowBehalf(address,uint256)": repay_for,
        }
    )


def comptroller_decoder(assets: Mapping[Address, Address]) -> Decoder:
    """Return what a call to the comptroller does. ``assets`` are what its tokens stand for; nobody named: the sender.

    One market is entered at a time, and none is ever left.
    """

    def enter(tokens: tuple[Address, ...]) -> tuple[Effect, ...]:
        refuse(len(tokens) != 1 or tokens[0] not in assets, "markets that are not the one of the plan")
        return (Pledges(assets[tokens[0]]),)

    return decoder({"enterMarkets(address[])": enter})


def native_decoder(token: Address, asset: Address) -> Decoder:
    """Return what a call to the market of the chain's own currency does: it takes what goes along with the call."""

    def decode(call: Call) -> tuple[Effect, ...]:
        def paid(owner: Address | None = None) -> tuple[Effect, ...]:
            refuse(call.value <= 0, "a payment of nothing")
            return (Pays(asset, call.value, owner, token),)

        return decoder({"mint()": paid, "repayBorrow()": paid, "repayBorrowBehalf(address)": paid})(call)

    return decode
