"""What calls to Uniswap's SwapRouter02 do: the gate's own reading of them, apart from what makes them.

One swap of exact output, by known fee tiers, inside one ``multicall`` that bears its deadline.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from keeper.core.units import Address
from keeper.venues.codec.abi import address
from keeper.venues.codec.calldata import decoder, refuse, signature
from keeper.venues.effects import Decoder, Effect, Sells

ADDRESS, FEE = 20, 3
_SWAP = signature("exactOutput((bytes,address,uint256,uint256))")


def router_decoder(router: Address, fee_tiers: Collection[int]) -> Decoder:
    """Return what a call to the router does."""

    def multicall(deadline: int, inner: Sequence[bytes]) -> tuple[Effect, ...]:
        if len(inner) != 1:
            raise ValueError(f"{len(inner)} calls in one multicall")
        ((path, recipient, least, most),) = _SWAP.read(inner[0])
        refuse(not least or not most, "a swap of nothing")
        bought, asset = _ends(path, fee_tiers)
        return (Sells(asset, most, bought, least, recipient, router, deadline),)

    return decoder({"multicall(uint256,bytes[])": multicall})


def _ends(path: bytes, fee_tiers: Collection[int]) -> tuple[Address, Address]:
    """Return what a path of exact output buys and what it sells; raise ValueError for bytes that are no such path."""
    hops, odd = divmod(len(path) - ADDRESS, ADDRESS + FEE)
    if hops < 1 or odd:
        raise ValueError(f"{len(path)} bytes are no path")
    for hop in range(hops):
        begin = ADDRESS + hop * (ADDRESS + FEE)
        fee = int.from_bytes(path[begin : begin + FEE], "big")
        refuse(fee not in fee_tiers, f"a pool with a fee of {fee}")
    return address(path[:ADDRESS]), address(path[-ADDRESS:])
