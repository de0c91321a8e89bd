"""What it cost to sell behind others: pools that trades of the same block had moved already, apart from one's own."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from eth_abi.abi import decode

from sandbox.demo_scene import SWAP_TOPIC
from sandbox.prices import fair_price
from sandbox.uniswap import price_of
from sandbox.world import World


def crowded(
    world: World,
    receipts: Sequence[Any],
    stand: Mapping[str, Decimal],
    prices: Mapping[str, Decimal],
    signers: set[str],
) -> dict[str, Decimal]:
    """Dollars by signer, in lower case: what its swaps of one block gave more than at the prices where pools stood.

    `stand` is what each token is worth by the pools once the market has moved them, before these signers trade;
    `prices` is what it is worth by the oracle. What a signer's own swaps moved is left out.
    """
    found: dict[str, Decimal] = {}
    pools = {pool["address"].lower(): pool for pool in world.addresses["pools"]}
    moved: dict[str, dict[str, float]] = {address: {} for address in pools}
    for receipt in receipts:
        sender = receipt["from"].lower()
        for log in receipt["logs"]:
            address = log["address"].lower()
            if sender not in signers or address not in pools or log["topics"][0] != SWAP_TOPIC.to_0x_hex():
                continue
            pool, mine = pools[address], moved[address]
            amount0, amount1, root = decode(["int256", "int256", "uint160"], bytes.fromhex(log["data"][2:])[:96])
            others = sum(by for who, by in mine.items() if who != sender)
            symbol, got, sign = (pool["token1"], -amount1, 1) if amount1 < 0 else (pool["token0"], -amount0, -1)
            dollars = Decimal(got).scaleb(-world.addresses["decimals"][symbol]) * prices[symbol]
            found[sender] = found.get(sender, Decimal(0)) + dollars * Decimal(math.expm1(-sign * others))
            now = price_of(root, *(world.addresses["decimals"][pool[side]] for side in ("token0", "token1")))
            total = math.log(now / fair_price(stand, pool))
            mine[sender] = mine.get(sender, 0.0) + total - sum(mine.values())
    return found
