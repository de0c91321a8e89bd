"""What a call to the universal router does within a bundle: the gate's own reading, apart from what makes it.

One form alone: settle all that the router holds of one asset, swap all of it in one pool without hooks, take all that
comes of it to one receiver. Every other command, action or amount is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from keeper.core.units import Address
from keeper.venues.codec.calldata import Signature, refuse, signature
from keeper.venues.effects import Flow, Trades

_EXECUTE = signature("execute(bytes,bytes[],uint256)")
ACTIONS = signature("actions(bytes,bytes[])")
SETTLE = signature("settle(address,uint256,bool)")
_SWAP = signature("swap(((address,address,uint24,uint24,address),bool,uint128,uint128,bytes))")
TAKE = signature("take(address,address,uint256)")
COMMAND, SEQUENCE = bytes.fromhex("10"), bytes.fromhex("0b060e")
WHOLE_BALANCE, NOBODY = 1 << 255, Address("0x" + "0" * 40)
SPECIAL = 2
"""The router reads the addresses 1 and 2 as whoever calls it, and itself."""


def seller(router: Address, spacings: Collection[tuple[int, int]]) -> Callable[[Address, bytes], tuple[Flow, ...]]:
    """Return what a call to the router does; ``spacings`` are the pools' fees and tick spacings that are known."""

    def sold(payer: Address, data: bytes) -> tuple[Flow, ...]:
        del payer  # the router pays of what it holds
        commands, inputs, deadline = _EXECUTE.read(data)
        refuse(commands != COMMAND or len(inputs) != 1, "anything but one swap")
        actions, steps = read_bare(ACTIONS, inputs[0])
        refuse(actions != SEQUENCE or len(steps) != len(SEQUENCE), "anything but settle, swap and take")
        asset, settled, is_users = read_bare(SETTLE, steps[0])
        refuse(settled != WHOLE_BALANCE or is_users, "a payment of anything but what the router holds")
        ((key, is_down, amount, least, hook_data),) = read_bare(_SWAP, steps[1])
        bought, receiver, taken = read_bare(TAKE, steps[2])
        low, high, fee, spacing, hooks = key
        refuse(hooks != NOBODY or hook_data != b"", "a pool with hooks")
        refuse((fee, spacing) not in spacings, f"a pool with a fee of {fee} and a spacing of {spacing}")
        refuse((asset, bought) != ((low, high) if is_down else (high, low)), "a swap of other assets than it settles")
        refuse(amount != 0 or taken != 0, "a swap of a part")
        refuse(int(receiver, 16) <= SPECIAL, "a receiver that is not written out")
        return (Trades(asset, None, router, bought, least, receiver, deadline),)

    return sold


def read_bare(of: Signature, data: bytes) -> tuple[Any, ...]:
    """Return arguments that no function's selector leads. Raises ValueError."""
    return of.read(of.selector + data)
