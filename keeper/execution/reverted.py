"""Why a transaction reverted: asked of the node after it was mined, on the state of the block it is in."""

from __future__ import annotations

from collections.abc import Iterable

from keeper.chain.accounts import Receipt
from keeper.chain.client import Upstream
from keeper.chain.errors import NodeError, NodeRefusedError
from keeper.core.reasons import Reason
from keeper.journal import Transaction
from keeper.venues.codec.abi import error_selector, inner_error, revert_reason
from keeper.venues.contracts import batch_account
from keeper.venues.registry import (
    ALLOWANCE_ERRORS,
    ALLOWANCE_WORDS,
    CHANGED_ERRORS,
    CHANGED_WORDS,
    MANDATE_WORDS,
    PRICE_ERRORS,
    PRICE_WORDS,
    has_mandate,
    insists,
    is_trade,
)

OTHER_NONCE = "GS026"
"""What a Safe says of a signature that is good for another nonce of it."""
NEARLY_ALL = 98
"""Percent of its gas limit from which a transaction is taken to have run out of gas."""


async def why_reverted(node: Upstream, row: Transaction, receipt: Receipt) -> tuple[Reason, str]:
    """Return whether the price or another's deed was the cause of a revert, and what the chain says of it.

    The call is asked again at the end of its block. A trade that would succeed there met another price in its place
    within the block. A node that cannot say leaves it at a revert.
    """
    if receipt.refused is not None:
        return Reason.REVERTED, receipt.refused
    if receipt.gas_used * 100 >= row.gas_limit * NEARLY_ALL:
        return Reason.REVERTED, "it ran out of gas"
    call = {"from": row.signer, "to": row.to, "data": row.data, "value": hex(row.value)}
    try:
        await node.request("eth_call", call, {"blockHash": receipt.block_hash})
    except NodeRefusedError as error:
        said = revert_reason(_bytes(error)) if _bytes(error) else error.message
        return _reason(bytes.fromhex(row.data[2:]), _bytes(error), f"{said} {error.message}"), said
    except NodeError:
        return Reason.REVERTED, ""
    said = "it would have succeeded at the end of its block"
    return (Reason.PRICE_MOVED if is_trade(bytes.fromhex(row.data[2:])) else Reason.REVERTED), said


def _reason(calldata: bytes, error: bytes, said: str) -> Reason:
    """Return why a venue or an exchange refused: somebody was there before us, or the price moved."""
    if OTHER_NONCE in said:
        return Reason.SAFE_NONCE_USED
    failed, inner = batch_account.call_that_failed(calldata, error), inner_error(error)
    if failed is not None and insists(failed):
        return Reason.POSITION_CHANGED
    if _is(inner, said, CHANGED_ERRORS, CHANGED_WORDS):
        return Reason.POSITION_CHANGED
    if has_mandate(calldata) and any(text in said for text in MANDATE_WORDS):
        return Reason.WORDS_USED
    if _is(inner, said, ALLOWANCE_ERRORS, ALLOWANCE_WORDS):
        return Reason.APPROVAL_MISSING
    return Reason.PRICE_MOVED if _is(inner, said, PRICE_ERRORS, PRICE_WORDS) else Reason.REVERTED


def _is(error: bytes, said: str, errors: Iterable[str], words: Iterable[str]) -> bool:
    return error[:4] in map(error_selector, errors) or any(text in said for text in words)


def _bytes(error: NodeRefusedError) -> bytes:
    try:
        return bytes.fromhex((error.data or "").removeprefix("0x"))
    except ValueError:
        return b""
