"""Why a transaction reverted: asked of the node after it was mined, on the state of the block it is in."""

from __future__ import annotations

from keeper.chain.accounts import Receipt
from keeper.chain.client import Upstream
from keeper.chain.errors import NodeError, NodeRefusedError
from keeper.core.reasons import Reason
from keeper.journal import Transaction
from keeper.venues.codec.abi import error_selector, inner_error, revert_reason
from keeper.venues.registry import PRICE_ERRORS, PRICE_WORDS, is_trade

NEARLY_ALL = 98
"""Percent of its gas limit from which a transaction is taken to have run out of gas."""


async def why_reverted(node: Upstream, row: Transaction, receipt: Receipt) -> tuple[Reason, str]:
    """Return whether the price was the cause of a revert, and what the chain says of it.

    The call is asked again at the end of its block. A trade that would succeed there met another price in its place
    within the block. A node that cannot say leaves it at a revert.
    """
    if receipt.gas_used * 100 >= row.gas_limit * NEARLY_ALL:
        return Reason.REVERTED, "it ran out of gas"
    call = {"from": row.signer, "to": row.to, "data": row.data, "value": hex(row.value)}
    try:
        await node.request("eth_call", call, {"blockHash": receipt.block_hash})
    except NodeRefusedError as error:
        data = inner_error(_bytes(error))
        said = revert_reason(data) if data else error.message
        return (Reason.PRICE_MOVED if _is_of_price(data, f"{said} {error.message}") else Reason.REVERTED), said
    except NodeError:
        return Reason.REVERTED, ""
    said = "it would have succeeded at the end of its block"
    return (Reason.PRICE_MOVED if is_trade(bytes.fromhex(row.data[2:])) else Reason.REVERTED), said


def _is_of_price(data: bytes, said: str) -> bool:
    """Return whether a venue or an exchange refused for the price."""
    return data[:4] in map(error_selector, PRICE_ERRORS) or any(text in said for text in PRICE_WORDS)


def _bytes(error: NodeRefusedError) -> bytes:
    try:
        return bytes.fromhex((error.data or "").removeprefix("0x"))
    except ValueError:
        return b""
