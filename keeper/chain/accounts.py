"""What a node says of one account and its transactions: nonces, receipts, fees, sending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keeper.chain.client import Upstream
from keeper.chain.errors import NodeAwayError, NodeRefusedError
from keeper.chain.fees import usual_tip
from keeper.core.units import Address, Wei

_FEE_BLOCKS = 10
_ALREADY_THERE = ("already known", "already imported", "known transaction", "alreadyknown")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction. ``succeeded`` is its status: mined is not done."""

    hash: str
    succeeded: bool
    block_number: int
    block_hash: str
    gas_used: int
    gas_price: Wei


async def nonce(node: Upstream, account: Address, *, pending: bool) -> int:
    """Return how many transactions of an account are mined (or known, if ``pending``)."""
    return _number(
        node,
        "eth_getTransactionCount",
        await node.request("eth_getTransactionCount", account, "pending" if pending else "latest"),
    )


async def nonce_at(node: Upstream, account: Address, block_hash: str) -> int:
    """Return how many transactions of an account were mined up to a block."""
    method = "eth_getTransactionCount"
    return _number(node, method, await node.request(method, account, {"blockHash": block_hash}))


async def balance(node: Upstream, account: Address) -> Wei:
    """Return an account's native balance at the newest block."""
    return Wei(_number(node, "eth_getBalance", await node.request("eth_getBalance", account, "latest")))


async def receipt(node: Upstream, hash_: str) -> Receipt | None:
    """Return the receipt of a hash, None while it is not mined."""
    found = await node.request("eth_getTransactionReceipt", hash_)
    if found is None:
        return None
    try:
        return Receipt(
            hash=str(found["transactionHash"]),
            succeeded=int(found["status"], 16) == 1,
            block_number=int(found["blockNumber"], 16),
            block_hash=str(found["blockHash"]),
            gas_used=int(found["gasUsed"], 16),
            gas_price=Wei(int(found.get("effectiveGasPrice") or "0x0", 16)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NodeAwayError(node.name, "eth_getTransactionReceipt", f"incomplete receipt ({error})") from None


async def tip(node: Upstream) -> Wei:
    """Return the usual tip of recent blocks; the least one where the node cannot tell."""
    try:
        history = await node.request("eth_feeHistory", hex(_FEE_BLOCKS), "latest", [50])
        return usual_tip([[int(r, 16) for r in block] for block in history.get("reward") or []])
    except (NodeRefusedError, AttributeError, TypeError, ValueError):
        return usual_tip([])


async def send(node: Upstream, raw: str) -> None:
    """Hand signed bytes to the node. Bytes it already has are a success. Raises NodeError."""
    try:
        await node.request("eth_sendRawTransaction", raw)
    except NodeRefusedError as error:
        if not has_already(error):
            raise


def has_already(error: NodeRefusedError) -> bool:
    """Tell whether a node refused bytes because it has them: that is a success."""
    return any(text in error.message.lower() for text in _ALREADY_THERE)


def _number(node: Upstream, method: str, value: Any) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise NodeAwayError(node.name, method, f"answered {value!r}, not a number") from None
