"""Thousands of accounts in one market, opened in batches: each 0.2 WETH against 125 USDC, health factor about 3.3."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice
from typing import Any

import requests
from eth_utils.address import to_checksum_address

from sandbox.world import World

COLLATERAL, DEBT = 2 * 10**17, 125 * 10**6
GAS = hex(1_000_000)


def owners(number: int) -> list[str]:
    return [str(to_checksum_address(f"0x{i:040x}")) for i in islice(count(0xC50D0000), number)]


def settle(world: World, crowd: Sequence[str]) -> None:
    """Open them all. Collateral is supplied on their behalf; each borrows by itself, a hundred in a block."""
    payer, pool, weth = world.addresses["multicall3"], world.pool, world.token("WETH")
    world.set_timestamp_interval(1)
    world.rpc("anvil_autoImpersonateAccount", True)
    world.mint("WETH", payer, COLLATERAL * len(crowd))
    multicall = world.chain.at("Multicall3", payer)
    approve = (weth.address, False, weth.encode_abi("approve", [pool.address, COLLATERAL * len(crowd)]))
    world.chain.send(multicall.functions.aggregate3([approve]), world.role("feeds"))
    for i in range(0, len(crowd), 100):
        part = crowd[i : i + 100]
        supplies = [(pool.address, False, pool.encode_abi("supply", [weth.address, COLLATERAL, o, 0])) for o in part]
        world.chain.send(multicall.functions.aggregate3(supplies), world.role("feeds"), gas=29_000_000)
        _borrow(world, part)
    world.rpc("anvil_autoImpersonateAccount", False)
    world.set_timestamp_interval(12)


def _borrow(world: World, part: Sequence[str]) -> None:
    usdc, pool = world.token("USDC").address, world.pool
    _all(world, [("anvil_setBalance", [o, hex(10**18)]) for o in part])
    world.rpc("evm_setAutomine", False)
    orders: list[tuple[str, list[Any]]] = []
    for owner in part:
        data = pool.encode_abi("borrow", [usdc, DEBT, 2, 0, owner])
        orders.append(("eth_sendTransaction", [{"from": owner, "to": pool.address, "data": data, "gas": GAS}]))
    _all(world, orders)
    for _ in range(0, len(part), 25):
        world.mine()
    world.rpc("evm_setAutomine", True)


def _all(world: World, wanted: Sequence[tuple[str, list[Any]]]) -> None:
    body = [{"jsonrpc": "2.0", "id": i, "method": m, "params": p} for i, (m, p) in enumerate(wanted)]
    with requests.Session() as session:
        session.trust_env = False
        failed = [a for a in session.post(world.url, json=body, timeout=120).json() if "error" in a]
    assert not failed, failed[:2]
