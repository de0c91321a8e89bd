"""By what a nonce was used: sought by transaction, and in the very block where the count passed it.

A receipt that is missing proves nothing, and nor does any other silence. Only what a block holds is a proof.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from keeper.chain import accounts
from keeper.chain.client import Upstream, each
from keeper.chain.errors import BlockMissingError, NodeError, NodeRefusedError
from keeper.core.units import Address

DEPTHS = (2, 8, 32, 127, 5_000, 200_000, 50_000_000)
"""Blocks back that are searched, one after the other: most of what is sought is new, and few nodes keep old states."""


@dataclass(frozen=True, slots=True)
class Ours:
    """One of our own transactions is in a block: its receipt is only late."""

    hash: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A block holds another program's transaction of this signer at the nonce."""

    hash: str


@dataclass(frozen=True, slots=True)
class InPool:
    """A node still has one of ours among the pending ones: the nonce is not used at all, for all it knows."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is proved."""


Trace = Ours | Foreign | InPool | Unknown


async def trace(node: Upstream, signer: Address, nonce: int, hashes: Collection[str]) -> Trace:
    """Return what used a nonce, where that can be shown. Never raises for what a node says or does not say.

    Every node is asked for ours: one that hides them may show another's in a block that never was.
    """
    is_in_pool = False
    for hash_ in hashes:
        for found in await _by_each(node, "eth_getTransactionByHash", hash_):
            if isinstance(found, dict) and str(found.get("hash", hash_)).lower() == hash_.lower():
                if found.get("blockNumber"):
                    return Ours(hash_)
                is_in_pool = True
    seen = await _in_its_block(node, signer, nonce)
    if seen is not None:
        mine = next((hash_ for hash_ in hashes if hash_.lower() == seen.lower()), None)
        return Ours(mine) if mine else Foreign(seen)
    return InPool() if is_in_pool else Unknown()


async def _in_its_block(node: Upstream, signer: Address, nonce: int) -> str | None:
    """Return the hash of the signer's transaction at a nonce, found in the block where the count passed it."""
    try:
        high = head = int(str(await node.request("eth_blockNumber")), 16)
        if await accounts.nonce_by(node, signer, head) <= nonce:
            return None
        for depth in DEPTHS:
            low = max(0, head - depth)
            if not await _is_passed(node, signer, nonce, low):
                break
            high = low
        else:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if await _is_passed(node, signer, nonce, middle):
                high = middle
            else:
                low = middle
    except (NodeError, ValueError):
        return None
    block = await _quietly(node, "eth_getBlockByNumber", hex(high), True)
    for transaction in (block or {}).get("transactions", ()) if isinstance(block, dict) else ():
        hash_ = _hash_if(transaction, signer, nonce)
        if hash_:
            return hash_
    return None


async def _is_passed(node: Upstream, signer: Address, nonce: int, number: int) -> bool:
    """Return whether a nonce was used by a block; not where its state is not kept: then only later blocks can show it.

    Raises NodeError where the node does not answer at all.
    """
    try:
        return await accounts.nonce_by(node, signer, number) > nonce
    except (NodeRefusedError, BlockMissingError):
        return False


def _hash_if(transaction: Any, signer: Address, nonce: int) -> str | None:
    try:
        if transaction["from"].lower() != signer.lower():
            return None
        # an authorization that an account sends itself takes a nonce too (EIP-7702)
        taken = [transaction, *(transaction.get("authorizationList") or ())]
        return str(transaction["hash"]) if any(int(x["nonce"], 16) == nonce for x in taken) else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


async def _by_each(node: Upstream, method: str, *params: Any) -> list[Any]:
    try:
        return await each(node, lambda _, found: found, method, *params)
    except NodeError:
        return []


async def _quietly(node: Upstream, method: str, *params: Any) -> Any:
    try:
        return await node.request(method, *params)
    except NodeError:
        return None
