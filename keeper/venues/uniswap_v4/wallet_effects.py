"""What a wallet's calls to Permit2 and the universal router do: the gate's own reading, apart from what makes them.

Permit2 lets the router take so much, exactly and for a time. The router buys exactly so much in one pool without hooks,
has the wallet pay what that takes, and gives all that comes of it to one receiver. All else is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from keeper.core.units import Address
from keeper.venues.codec.calldata import decoder, refuse, signature
from keeper.venues.effects import Approves, Decoder, Effect, Sells
from keeper.venues.uniswap_v4.effects import ACTIONS, COMMAND, NOBODY, SETTLE, SPECIAL, TAKE, read_bare

SEQUENCE = bytes.fromhex("080b0e")
_PURCHASE = signature("swap(((address,address,uint24,uint24,address),bool,uint128,uint128,bytes))")
ALL_OWED = 0
"""The router's word for the whole of what is open."""


def permit2_decoder(router: Address) -> Decoder:
    """Return what calls to Permit2 do: they let the router take an asset, and nobody else."""

    def approve(asset: Address, spender: Address, amount: int, until: int) -> tuple[Effect, ...]:
        refuse(spender != router, f"{spender} may not be approved")
        refuse(not until, "an approval that names no end")
        return (Approves(asset, spender, amount, until),)

    return decoder({"approve(address,address,uint160,uint48)": approve})


def buyer(router: Address, permit2: Address, spacings: Collection[tuple[int, int]]) -> Decoder:
    """Return what calls to the router do that a wallet makes; ``spacings`` are fees and tick spacings of pools."""

    def execute(commands: bytes, inputs: Sequence[bytes], deadline: int) -> tuple[Effect, ...]:
        refuse(commands != COMMAND or len(inputs) != 1, "anything but one swap")
        actions, steps = read_bare(ACTIONS, inputs[0])
        refuse(actions != SEQUENCE or len(steps) != len(SEQUENCE), "anything but swap, settle and take")
        ((key, is_down, bought, most, hook_data),) = read_bare(_PURCHASE, steps[0])
        asset, paid, is_users = read_bare(SETTLE, steps[1])
        got, receiver, taken = read_bare(TAKE, steps[2])
        low, high, fee, spacing, hooks = key
        refuse(hooks != NOBODY or hook_data != b"", "a pool with hooks")
        refuse((fee, spacing) not in spacings, f"a pool with a fee of {fee} and a spacing of {spacing}")
        refuse((asset, got) != ((low, high) if is_down else (high, low)), "a swap of other assets than it settles")
        refuse(not bought or not most, "a swap of nothing")
        refuse(paid != ALL_OWED or taken != ALL_OWED or not is_users, "a payment of anything but what is owed")
        refuse(int(receiver, 16) <= SPECIAL, "a receiver that is not written out")
        return (Sells(asset, most, got, bought, receiver, permit2, deadline, by=router),)

    return decoder({"execute(bytes,bytes[],uint256)": execute})
