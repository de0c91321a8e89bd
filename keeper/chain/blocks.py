"""Blocks, and reads pinned to one: every answer is of the very block that was named, or an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from keeper.chain.client import Upstream
from keeper.chain.errors import (
    BlockMissingError,
    NodeAwayError,
    NodeError,
    NodesDisagreeError,
    StaleAnswerError,
    WrongChainError,
)
from keeper.chain.nodes import Nodes
from keeper.core.positions import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues import multicall3
from keeper.venues.ports import Answer, Discovery, Probe, Read

T = TypeVar("T")


class Blocks:
    """Reads of one chain. ``reads_per_call`` bounds an eth_call; larger reads are split and sent side by side."""

    def __init__(self, node: Upstream, chain_id: int, multicall: Address, reads_per_call: int = 500) -> None:
        self.node = node
        self.chain_id = chain_id
        self.multicall = multicall
        self._reads_per_call = reads_per_call

    async def check_chain(self) -> None:
        """Raise WrongChainError unless the node is on the configured chain and has Multicall3."""
        found = _int(self.node.name, "eth_chainId", await self.node.request("eth_chainId"))
        if found != self.chain_id:
            raise WrongChainError(
                self.node.name,
                "eth_chainId",
                f"the node is on chain {found}, the network file says {self.chain_id}; correct `rpc_url` or the file",
            )
        if await self.node.request("eth_getCode", self.multicall, "latest") in ("0x", None):
            raise WrongChainError(
                self.node.name, "eth_getCode", f"no contract at `multicall3` {self.multicall}; correct the network file"
            )

    def follow(self, wake: Callable[[], None], patience_s: float) -> None:
        """Have new heads pushed where a node can: ``wake`` is called, and ``head`` then costs no request."""
        if isinstance(self.node, Nodes):
            self.node.follow(wake, patience_s)

    @property
    def are_told(self) -> bool:
        """Whether new heads are pushed now, so that there is no need to ask often."""
        return isinstance(self.node, Nodes) and self.node.are_told

    async def head(self) -> BlockRef:
        """Return the newest block: as it was pushed, else asked for."""
        return await self._block("eth_getBlockByNumber", "latest")

    async def block_at(self, number: int) -> BlockRef:
        """Return the block of a number, as the node has it now."""
        return await self._block("eth_getBlockByNumber", hex(number))

    async def read(self, block: BlockRef, probe: Probe[T]) -> T:
        """Return what a probe found at a block. Raises NodeError; StaleAnswerError when another block answered."""
        return probe.decode(await self.answers(block, probe.reads))

    async def confirmed(self, block: BlockRef, probe: Probe[T]) -> T:
        """Return what a probe found at a block, when no healthy node has another block there or answers otherwise.

        Ask so for what decides a spend. Raises NodesDisagreeError, NodeError. With one node it is a plain ``read``.
        """
        node = self.node
        if not isinstance(node, Nodes):
            return await self.read(block, probe)
        await node.agree(block)
        data = self._calldata(probe.reads)
        results = list[str]()

        def decode(name: str, result: Any) -> list[Answer]:
            answers = _proven(name, block, result, len(probe.reads))
            results.append(str(result))
            return answers

        answers = await node.ask(decode, "eth_call", {"to": self.multicall, "data": data}, {"blockHash": block.hash})
        if not await node.confirm(block, self.multicall, data, results[-1]):
            raise NodesDisagreeError(node.name, "eth_call", f"nodes differ on the position at block {block.number}")
        return probe.decode(answers)

    async def discover(self, block: BlockRef, discovery: Discovery[T]) -> T:
        """Run reads in rounds, all at one block, and return what they found."""
        try:
            wanted = next(discovery)
            while True:
                wanted = discovery.send(await self.answers(block, wanted))
        except StopIteration as done:
            found: T = done.value
            return found

    async def answers(self, block: BlockRef, reads: Sequence[Read]) -> list[Answer]:
        """Return one answer per read, at the block."""
        size = self._reads_per_call
        chunks = [reads[i : i + size] for i in range(0, len(reads), size)]
        found = await asyncio.gather(*(self._call(block, chunk) for chunk in chunks))
        return [answer for answers in found for answer in answers]

    async def code(self, block: BlockRef, account: Address) -> bytes:
        """Return an account's code at a block; empty for a plain account."""
        answer = await self.node.request("eth_getCode", account, {"blockHash": block.hash})
        return bytes.fromhex(str(answer or "0x")[2:])

    async def _call(self, block: BlockRef, reads: Sequence[Read]) -> list[Answer]:
        call = {"to": self.multicall, "data": self._calldata(reads)}

        def decode(name: str, result: Any) -> list[Answer]:
            return _proven(name, block, result, len(reads))

        return await self.node.ask(decode, "eth_call", call, {"blockHash": block.hash})

    def _calldata(self, reads: Sequence[Read]) -> str:
        proofs = (multicall3.timestamp().read(self.multicall), multicall3.chain_id().read(self.multicall))
        return "0x" + multicall3.encode((*proofs, *reads)).hex()

    async def _block(self, method: str, which: str) -> BlockRef:
        def decode(name: str, header: Any) -> BlockRef:
            if not isinstance(header, dict):
                raise BlockMissingError(name, method, f"the node has no block {which}")
            return block_ref(name, method, header, self.chain_id)

        return await self.node.ask(decode, method, which, False)


def block_ref(node: str, method: str, header: dict[str, Any], chain_id: int) -> BlockRef:
    """Return a block's identity from its header. Raises NodeAwayError when a field is missing."""
    try:
        return BlockRef(
            chain_id=chain_id,
            number=int(header["number"], 16),
            hash=str(header["hash"]),
            parent_hash=str(header["parentHash"]),
            timestamp=int(header["timestamp"], 16),
            base_fee=Wei(int(header.get("baseFeePerGas") or "0x0", 16)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NodeAwayError(node, method, f"the block header is incomplete ({error})") from None


def _proven(node: str, block: BlockRef, result: Any, count: int) -> list[Answer]:
    """Return the answers of a Multicall3 that began with its own time and chain, if they are the block's."""
    try:
        timestamp, chain, *answers = multicall3.decode(bytes.fromhex(result[2:]), count + 2)
    except (ValueError, TypeError) as error:
        raise NodeAwayError(node, "eth_call", f"Multicall3 answered nonsense ({error})") from None
    proof = tuple(int.from_bytes(x or b"", "big") for x in (timestamp, chain))
    if proof != (block.timestamp, block.chain_id):
        detail = f"asked for block {block.number} of {block.timestamp}, answered from {proof[0]} on chain {proof[1]}"
        raise StaleAnswerError(node, "eth_call", detail)
    return answers


def _int(node: str, method: str, value: Any) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise NodeError(node, method, f"answered {value!r}, not a number") from None
