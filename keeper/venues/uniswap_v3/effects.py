"""What calls to Uniswap's SwapRouter02 do: the gate's own reading of them, apart from what makes them.

One swap of exact output, by known fee tiers, inside one ``multicall`` that bears its deadline. Within a bundle one sale
of exact input, with a deadline or without: what the router holds (0), or what it takes from whoever calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from keeper.core.units import UINT256_MAX, Address
from keeper.venues.codec.abi import address
from keeper.venues.codec.calldata import decoder, refuse, signature
from keeper.venues.effects import Decoder, Effect, Flow, Sells, Trades

ADDRESS, FEE = 20, 3
_SWAP = signature("exactOutput((bytes,address,uint256,uint256))")
_SALE = signature("exactInput((bytes,address,uint256,uint256))")
_SALE_IN_ONE_POOL = signature("exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))")
_WITH_DEADLINE = signature("multicall(uint256,bytes[])")
AT_ANY_TIME = UINT256_MAX


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


def router_seller(router: Address, fee_tiers: Collection[int]) -> Callable[[Address, bytes], tuple[Flow, ...]]:
    """Return what a call to the router does within a bundle; ``payer`` is who makes it there."""

    def sold(payer: Address, data: bytes) -> tuple[Flow, ...]:
        deadline, inner = AT_ANY_TIME, (data,)
        if data[:4] == _WITH_DEADLINE.selector:
            deadline, inner = _WITH_DEADLINE.read(data)
        if len(inner) != 1:
            raise ValueError(f"{len(inner)} calls in one multicall")
        asset, bought, recipient, amount, least = _sale(inner[0], fee_tiers)
        holder = payer if amount else router
        return (Trades(asset, amount or None, holder, bought, least, recipient, deadline),)

    return sold


def _sale(data: bytes, fee_tiers: Collection[int]) -> tuple[Address, Address, Address, int, int]:
    """Return asset, what is bought, recipient, amount and least of a sale of exact input. Raises ValueError."""
    if data[:4] != _SALE_IN_ONE_POOL.selector:
        ((path, recipient, amount, least),) = _SALE.read(data)
        first, last = _ends(path, fee_tiers)
        return first, last, recipient, amount, least
    ((asset, bought, fee, recipient, amount, least, limit),) = _SALE_IN_ONE_POOL.read(data)
    refuse(fee not in fee_tiers, f"a pool with a fee of {fee}")
    refuse(limit != 0, "a bound on the pool's price")
    return asset, bought, recipient, amount, least


def _ends(path: bytes, fee_tiers: Collection[int]) -> tuple[Address, Address]:
    """Return the ends of a path, as they stand in it. Raises ValueError for bytes that are no such path."""
    hops, odd = divmod(len(path) - ADDRESS, ADDRESS + FEE)
    if hops < 1 or odd:
        raise ValueError(f"{len(path)} bytes are no path")
    for hop in range(hops):
        begin = ADDRESS + hop * (ADDRESS + FEE)
        fee = int.from_bytes(path[begin : begin + FEE], "big")
        refuse(fee not in fee_tiers, f"a pool with a fee of {fee}")
    return address(path[:ADDRESS]), address(path[-ADDRESS:])
