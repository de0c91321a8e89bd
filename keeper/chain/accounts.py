"""What a node says of one account and its transactions: nonces, receipts, fees, sending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keeper.chain import rejections
from keeper.chain.client import Decode, Upstream, each
from keeper.chain.client_words import Cause
from keeper.chain.errors import NodeAwayError, NodeRefusedError
from keeper.chain.pushes import as_log
from keeper.core.units import Address, Wei
from keeper.venues.codec.hashes import keccak
from keeper.venues.codec.quantities import LARGEST, MOST_WEI, hash32, quantity, shown
from keeper.venues.contracts.refusals import refusal
from keeper.venues.contracts.transfers import Transfer, transfers


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction. ``succeeded`` is its status, and that it refused nothing: mined is not done."""

    hash: str
    succeeded: bool
    block_number: int
    block_hash: str
    gas_used: int
    gas_price: Wei
    transfers: tuple[Transfer, ...] = ()
    """What tokens say that it moved; none where the receipt is the journal's."""
    refused: str | None = None
    """What the called contract refused though the status is 1, in its words and numbers."""


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


async def nonce_by(node: Upstream, account: Address, number: int) -> int:
    """Return how many transactions of an account were mined up to a block of the node's own history."""
    return _number(node, "eth_getTransactionCount", await node.request("eth_getTransactionCount", account, hex(number)))


async def counts(node: Upstream, account: Address) -> list[int]:
    """Return what every node says is mined of an account."""
    return await each(node, _as_count, "eth_getTransactionCount", account, "latest")


async def counts_at(node: Upstream, account: Address, block_hash: str) -> list[int]:
    """Return what every node says was mined of an account up to a block."""
    return await each(node, _as_count, "eth_getTransactionCount", account, {"blockHash": block_hash})


async def balance(node: Upstream, account: Address) -> Wei:
    """Return an account's native balance at the newest block."""
    return Wei(_number(node, "eth_getBalance", await node.request("eth_getBalance", account, "latest"), MOST_WEI))


async def receipt(
    node: Upstream, hash_: str, sender: Address | None = None, to: Address | str | None = None
) -> Receipt | None:
    """Return the receipt of a hash, None while it is not mined.

    One of another transaction, or of another sender or target than ``sender`` and ``to``, is no answer: it raises
    NodeAwayError, and another node is asked.
    """
    method = "eth_getTransactionReceipt"

    def decode(name: str, found: Any) -> Receipt | None:
        if found is None:
            return None
        try:
            return _receipt(found, hash_, sender, to)
        except (KeyError, TypeError, ValueError) as error:
            raise NodeAwayError(name, method, f"the receipt is incomplete or not the one asked for ({error})") from None

    return await node.ask(decode, method, hash_)


async def logs_of(node: Upstream, hash_: str, *, is_mined: bool = False) -> list[dict[str, Any]]:
    """Return the logs of a transaction, none while it is not mined. Raises NodeError for another's.

    Of one that is known to be mined a missing receipt is late, and proves nothing: that raises NodeError too.
    """
    method = "eth_getTransactionReceipt"

    def decode(name: str, found: Any) -> list[dict[str, Any]]:
        if found is None and is_mined:
            raise NodeAwayError(name, method, "the receipt of what is mined is not there yet")
        if found is None:
            return []
        try:
            _receipt(found, hash_, None, None)
            logs = list(found["logs"])
            others = [log for log in logs if as_log(log).transaction_hash != hash_.lower()]
        except (KeyError, TypeError, ValueError) as error:
            raise NodeAwayError(name, method, f"the receipt is incomplete or not the one asked for ({error})") from None
        if others:
            raise NodeAwayError(name, method, "the receipt holds a log of another transaction")
        return logs

    return await node.ask(decode, method, hash_)


def _receipt(found: dict[str, Any], hash_: str, sender: str | None, to: str | None) -> Receipt:
    for field, wanted in (("transactionHash", hash_), ("from", sender), ("to", to)):
        if wanted is not None and str(found[field]).lower() != wanted.lower():
            raise ValueError(f"{field} is {shown(found[field])}")
    is_done, refused = quantity(found["status"], 1) == 1, refusal(found.get("logs"), found.get("to"))
    return Receipt(
        hash=hash32(found["transactionHash"]),
        succeeded=is_done and refused is None,
        block_number=quantity(found["blockNumber"]),
        block_hash=hash32(found["blockHash"]),
        gas_used=quantity(found["gasUsed"]),
        gas_price=Wei(quantity(found.get("effectiveGasPrice") or "0x0", MOST_WEI)),
        transfers=transfers(found.get("logs")),
        refused=refused if is_done else None,
    )


async def send(node: Upstream, raw: str) -> None:
    """Hand signed bytes to the node. Bytes it already has are a success. Raises NodeError."""
    method = "eth_sendRawTransaction"
    try:
        await node.ask(taken(method, raw), method, raw)
    except NodeRefusedError as error:
        if not has_already(error):
            raise


def taken(method: str, raw: str) -> Decode[str]:
    """Return what reads the answer to a send: the hash of these very bytes. Anything else means they were not taken."""
    computed = "0x" + keccak(bytes.fromhex(raw.removeprefix("0x"))).hex()

    def decode(name: str, answer: Any) -> str:
        if not isinstance(answer, str) or answer.lower() != computed:
            raise NodeAwayError(name, method, f"answered {shown(answer)}, not the hash {computed} of what was sent")
        return computed

    return decode


def has_already(error: NodeRefusedError) -> bool:
    """Return whether a node refused bytes because it has them: that is a success."""
    return rejections.read(error.message).cause is Cause.ALREADY_KNOWN


def _number(node: Upstream, method: str, value: Any, most: int = LARGEST) -> int:
    return _quantity(node.name, method, value, most)


def _as_count(name: str, value: Any) -> int:
    return _quantity(name, "eth_getTransactionCount", value)


def _quantity(name: str, method: str, value: Any, most: int = LARGEST) -> int:
    try:
        return quantity(value, most)
    except ValueError as error:
        raise NodeAwayError(name, method, f"not a number: {error}") from None
