"""Pools between assets: which there are, how deep, whether they remember, and the ways through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from keeper.core.lending.moves import Route
from keeper.core.units import Address
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Discovery, Read

_FACTORY = load("uniswap_v3_factory")
_POOL = load("uniswap_v3_pool")
_ERC20 = load("erc20")
WORD = 32
FEE_TO_ASK_WITH = 3000
_FACTORY_OF = bytes.fromhex("c45a0155")
"""The selector of factory(), which every contract of Uniswap's periphery answers."""


@dataclass(frozen=True, slots=True)
class UniswapDeployment:
    """Where Uniswap v3 lives on a chain."""

    factory: Address
    quoter: Address
    router: Address
    fee_tiers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool. ``depth`` is what it held of ``token0`` and ``token1`` when it was found, in smallest units."""

    address: Address
    token0: Address
    token1: Address
    fee: int
    depth: tuple[int, int]
    has_history: bool
    """Whether it can answer a time-weighted average."""

    def holds(self, asset: Address) -> int:
        """Return the depth on an asset's side, zero when the pool is not of it."""
        return {self.token0: self.depth[0], self.token1: self.depth[1]}.get(asset, 0)

    def other(self, asset: Address) -> Address:
        """Return the asset on the other side."""
        return self.token1 if asset == self.token0 else self.token0


def discover_faults(deployment: UniswapDeployment) -> Discovery[tuple[str, ...]]:
    """Find which of the addresses are not what they are said to be: quoter and router name their factory."""
    named = {"quoter_v2": deployment.quoter, "swap_router_02": deployment.router}
    a, b = sorted((deployment.quoter, deployment.router), key=lambda at: int(at, 16))
    pool, *owners = yield (
        _FACTORY.getPool.read(deployment.factory, a, b, FEE_TO_ASK_WITH),
        *(Read(at, _FACTORY_OF) for at in named.values()),
    )
    faults = (
        [] if pool is not None and len(pool) == WORD else [f"factory {deployment.factory} is no Uniswap v3 factory"]
    )
    for (key, at), owner in zip(named.items(), owners, strict=True):
        said = address(owner[-20:]) if owner is not None and len(owner) == WORD else None
        if said is None:
            faults.append(f"{key} {at} does not answer as one")
        elif said != deployment.factory and not faults:
            faults.append(f"{key} {at} belongs to another factory, {said}")
    return tuple(faults)


def discover_pools(
    deployment: UniswapDeployment, assets: Sequence[Address], window_s: int
) -> Discovery[tuple[Pool, ...]]:
    """Find every pool between the assets, with its depth and whether it remembers ``window_s``."""
    pairs = [_in_order(a, b) for a, b in combinations(dict.fromkeys(assets), 2)]
    keys = [(a, b, fee) for a, b in pairs for fee in deployment.fee_tiers]
    answers = yield tuple(_FACTORY.getPool.read(deployment.factory, *key) for key in keys)
    places = [(key, address(_FACTORY.getPool.decode(a)[0])) for key, a in zip(keys, answers, strict=True)]
    there = [(key, at) for key, at in places if int(at, 16)]
    answers = yield tuple(
        read
        for (a, b, _), at in there
        for read in (_ERC20.balanceOf.read(a, at), _ERC20.balanceOf.read(b, at), _POOL.observe.read(at, [window_s, 0]))
    )
    pools = []
    for i, ((a, b, fee), at) in enumerate(there):
        depth0, depth1, history = answers[3 * i : 3 * i + 3]
        depths = (_ERC20.balanceOf.decode(depth0)[0], _ERC20.balanceOf.decode(depth1)[0])
        if all(depths):
            pools.append(Pool(at, a, b, fee, depths, history is not None))
    return tuple(pools)


def routes(
    exchange: str, pools: Sequence[Pool], sell: Address, buy: Address, hubs: Sequence[Address]
) -> tuple[Route, ...]:
    """Return the ways from one asset to another: every direct pool, and through each hub the deepest pools."""
    found = [Route((sell, buy), (p.fee,), exchange) for p in pools if {p.token0, p.token1} == {sell, buy}]
    for hub in hubs:
        if hub not in (sell, buy):
            first, second = (_deepest(pools, hub, x) for x in (sell, buy))
            found += [Route((sell, hub, buy), (a.fee, b.fee), exchange) for a in first for b in second]
    return tuple(found)


def _deepest(pools: Sequence[Pool], hub: Address, asset: Address) -> tuple[Pool, ...]:
    """Return the two deepest pools between an asset and the hub."""
    fit = sorted((p for p in pools if {p.token0, p.token1} == {hub, asset}), key=lambda p: p.holds(hub), reverse=True)
    return tuple(fit[:2])


def _in_order(a: Address, b: Address) -> tuple[Address, Address]:
    return (a, b) if int(a, 16) < int(b, 16) else (b, a)
