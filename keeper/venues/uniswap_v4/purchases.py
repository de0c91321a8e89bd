"""A purchase of exact output with a wallet's money. ``wallet_effects`` reads it back for the gate.

Source: Permit2 ``AllowanceTransfer.approve``; ``UniversalRouter`` 2.0.0 (command ``V4_SWAP``) and v4-periphery's
``V4Router``: swap, pay what it takes by the wallet, take all that comes of it. What is allowed ends with the deadline.
"""

from __future__ import annotations

from keeper.core.lending.moves import Swap
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import load
from keeper.venues.codec.values import encode
from keeper.venues.ports import Call
from keeper.venues.uniswap_v4.pools import V4Deployment, key_of

_V4, _PERMIT2 = load("uniswap_v4"), load("permit2")
V4_SWAP = b"\x10"
SWAP_EXACT_OUT_SINGLE, SETTLE, TAKE = 0x08, 0x0B, 0x0E
ALL_OWED, BY_USER = 0, True
"""The router's words: the whole of what is open; paid by whoever calls it, through Permit2."""
PURCHASE = ["((address,address,uint24,int24,address),bool,uint128,uint128,bytes)"]
MOST = 2**128 - 1


def encode_purchase(
    at: V4Deployment, permit2: Address, swap: Swap, recipient: Address, deadline: int, symbols: tuple[str, str]
) -> tuple[Call, ...]:
    """Return what lets the router take at most ``swap.sold``, and the purchase. Raises ValueError for several pools."""
    if len(swap.route.fees) != 1 or max(swap.sold, swap.bought) > MOST:
        raise ValueError("a purchase at Uniswap v4 goes through one pool, in amounts of 128 bits")
    given, got = swap.route.tokens
    key = key_of(given, got, swap.route.fees[0])
    steps = [
        encode(PURCHASE, [(key, given == key[0], swap.bought, swap.sold, b"")]),
        encode(["address", "uint256", "bool"], [given, ALL_OWED, BY_USER]),
        encode(["address", "address", "uint256"], [got, recipient, ALL_OWED]),
    ]
    inner = encode(["bytes", "bytes[]"], [bytes((SWAP_EXACT_OUT_SINGLE, SETTLE, TAKE)), steps])
    allowed = _PERMIT2.approve.encode(given, at.router, swap.sold, deadline)
    return (
        Call(permit2, allowed, Wei(0), f"let the exchange take {symbols[0]} until the deadline"),
        Call(at.router, _V4.execute.encode(V4_SWAP, [inner], deadline), Wei(0), f"swap {symbols[0]} for {symbols[1]}"),
    )
