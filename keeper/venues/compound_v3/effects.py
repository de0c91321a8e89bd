"""What calls to a Comet do: the gate's own reading of them, apart from ``calls``, which makes them."""

from __future__ import annotations

from collections.abc import Collection

from keeper.core.units import UINT256_MAX, Address
from keeper.venues.codec.calldata import decoder, refuse
from keeper.venues.effects import Borrows, Decoder, Effect, Entrusts, Pays, Takes


def comet_decoder(
    comet: Address, base: Address, collaterals: Collection[Address], agents: Collection[Address] = ()
) -> Decoder:
    """Return what a call to the market does. It takes what is paid by its own allowance.

    ``agents`` are those whom the owner may let act for him, or no more.
    """

    def supply(owner: Address, asset: Address, amount: int) -> tuple[Effect, ...]:
        refuse(asset != base and asset not in collaterals, f"{asset}")
        refuse(asset != base and amount == UINT256_MAX, "all of a collateral")
        return (Pays(asset, None if amount == UINT256_MAX else amount, owner, comet),)

    def withdraw(to: Address, asset: Address, amount: int) -> tuple[Effect, ...]:
        refuse(asset != base and asset not in collaterals, f"{asset}")
        refuse(amount == UINT256_MAX, "all, of what may be a supply")
        return (Borrows(asset, amount, to),) if asset == base else (Takes(asset, amount, to),)

    def trust(about: Address, is_on: bool) -> tuple[Effect, ...]:
        refuse(about not in agents, f"{about} as an agent")
        return (Entrusts(about, is_on),)

    return decoder(
        {
            **({"allow(address,bool)": trust} if agents else {}),
            "supplyTo(address,address,uint256)": supply,
            "withdrawTo(address,address,uint256)": withdraw,
        }
    )
