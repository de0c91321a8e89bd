"""Pools of the one manager: which there are without hooks, and how deep they are now.

Source: Uniswap v4 ``PoolManager`` and ``StateLibrary``: a pool's state begins at keccak256(id, 6); its price is in the
first word, its liquidity the fourth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from keeper.core.lending.moves import Route
from keeper.core.units import Address
from keeper.venues.codec.abi import address, load
from keeper.venues.codec.hashes import keccak
from keeper.venues.codec.values import encode
from keeper.venues.ports import Discovery, PoolReference

_V4, _PERMIT2 = load("uniswap_v4"), load("permit2")
NO_HOOKS = Address("0x" + "0" * 40)
SPACINGS = {100: 1, 500: 10, 3000: 60, 10_000: 200}
"""By fee: the spacing of ticks that a pool of it usually has."""
POOLS_SLOT, LIQUIDITY_AT = 6, 3
KEY = ["address", "address", "uint24", "int24", "address"]

PoolKey = tuple[Address, Address, int, int, Address]


@dataclass(frozen=True, slots=True)
class V4Deployment:
    """Where Uniswap v4 lives on a chain."""

    manager: Address
    quoter: Address
    router: Address
    fee_tiers: tuple[int, ...]
    permit2: Address | None = None
    """Whom the router takes a wallet's money through; where none is known it sells within bundles alone."""


def key_of(a: Address, b: Address, fee: int) -> PoolKey:
    """Return the key of a pool without hooks between two assets."""
    low, high = (a, b) if int(a, 16) < int(b, 16) else (b, a)
    return low, high, fee, SPACINGS[fee], NO_HOOKS


def state_slot(key: PoolKey) -> int:
    """Return where the manager keeps a pool."""
    return int.from_bytes(keccak(keccak(encode(KEY, key)) + POOLS_SLOT.to_bytes(32, "big")), "big")


@dataclass(frozen=True, slots=True)
class V4Pools:
    """The pools between some assets that have a price and liquidity, as they were found."""

    exchange: str
    found: frozenset[PoolKey]

    def routes(self, sell: Address, buy: Address, hubs: Sequence[Address]) -> tuple[Route, ...]:
        """Return the direct ways; a sale within a bundle goes through one pool."""
        del hubs
        fees = sorted(key[2] for key in self.found if {key[0], key[1]} == {sell, buy})
        return tuple(Route((sell, buy), (fee,), self.exchange) for fee in fees)

    def reference(
        self, asset: Address, others: Sequence[Address], decimals: Callable[[Address], int]
    ) -> PoolReference | None:
        """There is none: these pools remember nothing, and a price of now is anybody's to move."""


def discover_pools(at: V4Deployment, name: str, assets: Sequence[Address]) -> Discovery[V4Pools]:
    """Find the pools between assets."""
    pairs = combinations(dict.fromkeys(assets), 2)
    keys = [key_of(a, b, fee) for a, b in pairs for fee in at.fee_tiers if fee in SPACINGS]
    slots = [state_slot(key) for key in keys]
    answers = yield tuple(
        _V4.extsload.read(at.manager, (slot + more).to_bytes(32, "big")) for slot in slots for more in (0, LIQUIDITY_AT)
    )
    words = [int.from_bytes((_V4.extsload.decode_or_none(answer) or (b"",))[0], "big") for answer in answers]
    priced, liquid = words[::2], words[1::2]
    there = (key for key, price, depth in zip(keys, priced, liquid, strict=True) if price and depth)
    return V4Pools(name, frozenset(there))


def discover_faults(at: V4Deployment) -> Discovery[tuple[str, ...]]:
    """Find which of the addresses are not what they are said to be: quoter and router name their manager."""
    named = {"quoter": at.quoter, "universal_router": at.router}
    asked = () if at.permit2 is None else (_PERMIT2.allowance.read(at.permit2, at.router, at.router, at.router),)
    answers = yield (*(_V4.poolManager.read(where) for where in named.values()), *asked)
    faults = list[str]()
    if asked and _PERMIT2.allowance.decode_or_none(answers[-1]) is None:
        faults.append(f"permit2 {at.permit2} does not answer as one")
    for (key, where), answer in zip(named.items(), answers, strict=False):
        said = _V4.poolManager.decode_or_none(answer)
        if said is None:
            faults.append(f"{key} {where} does not answer as one")
        elif address(said[0]) != at.manager:
            faults.append(f"{key} {where} belongs to another pool manager, {address(said[0])}")
    return tuple(faults)
