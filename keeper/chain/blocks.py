"""Blocks, and reads pinned to one: every answer is of the very block that was named, or an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from keeper.chain.chunks import PARTS, Bundle, Caps, Chunk, is_too_big, laid_out
from keeper.chain.client import Upstream
from keeper.chain.errors import (
    BlockMissingError,
    NodeAwayError,
    NodeError,
    NodeRefusedError,
    NodesDisagreeError,
    StaleAnswerError,
    WrongChainError,
)
from keeper.chain.logs import LogPages
from keeper.chain.nodes import Nodes
from keeper.chain.pushes import OnGap, OnLog, Pushed, Topics
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei, duration
from keeper.venues.codec.quantities import MOST_WEI, hash32, octets, quantity
from keeper.venues.contracts import multicall3
from keeper.venues.ports import Answer, Discovery, Probe, Read

T = TypeVar("T")
Piece = tuple[Chunk, bytes]
"""One call that was made, and what Multicall3 returned, its two proofs first."""
AT_ONCE = 16
"""Calls under way side by side."""
_REMEMBERED = 20_000
_GAS_LEFT = "0x5a60005260206000f3"  # GAS, MSTORE at 0, RETURN 32 bytes

MOST_SHOWN = 10**9
"""Numbers of a node beyond this are not repeated: no chain and no time is so far away."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A read that another node was asked beside ours."""

    block: BlockRef
    data: str
    ours: str
    """The node that our reads go to."""
    node: str
    task: asyncio.Task[list[Answer] | NodeError]


class Blocks:
    """Reads of one chain. ``caps`` bound an eth_call; larger reads are split and sent side by side."""

    def __init__(self, node: Upstream, chain_id: int, multicall: Address, caps: Caps | None = None) -> None:
        self.node = node
        self.chain_id = chain_id
        self.multicall = multicall
        self.caps = caps or Caps(reads=500, gas=30_000_000, size=2_000_000)
        self.pages = LogPages(node)
        """Logs of many blocks."""
        self._failing = set[Read]()
        """Reads that failed with gas to spare: that is how they are."""
        self._under_way = asyncio.Semaphore(AT_ONCE)

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
        await self.learn_gas()

    async def learn_gas(self) -> None:
        """Learn how much gas the node grants a call: code that is run as if to create a contract returns it."""
        try:
            found = await self.node.request("eth_call", {"data": _GAS_LEFT}, "latest")
            self.caps.granted = quantity(found) if len(found) == 2 + 64 else None
        except (NodeRefusedError, BlockMissingError, TypeError, ValueError):
            self.caps.granted = None

    def follow(self, wake: Callable[[], None], patience_s: float) -> None:
        """Have new heads pushed where a node can: ``wake`` is called, and ``head`` then costs no request."""
        if isinstance(self.node, Nodes):
            self.node.follow(wake, patience_s)

    def subscribe_logs(
        self, addresses: Sequence[Address], topics: Topics, on_log: OnLog, on_gap: OnGap
    ) -> Pushed | None:
        """Hear of logs, where a node pushes them: see ``chain.pushes``."""
        return self.node.subscribe_logs(addresses, topics, on_log, on_gap) if isinstance(self.node, Nodes) else None

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
            data = _proven(name, block, result, len(probe.reads))
            results.append(str(result))
            return multicall3.decode(data, len(probe.reads) + 2)[2:]

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

    async def discover_all(self, block: BlockRef, discoveries: Iterable[Discovery[T]]) -> list[T]:
        """Run many discoveries side by side: each round of all of them is one read."""
        found, going = dict[int, T](), dict[int, Discovery[T]](enumerate(discoveries))
        wanted = dict[int, tuple[Read, ...]]()
        answers = dict[int, Sequence[Answer] | None](dict.fromkeys(going))
        while going:
            for i, discovery in list(going.items()):
                try:
                    stated = answers[i]
                    wanted[i] = next(discovery) if stated is None else discovery.send(stated)
                except StopIteration as done:
                    found[i] = done.value
                    del going[i]
            said = iter(await self.answers(block, [read for i in going for read in wanted[i]]))
            answers = {i: list(islice(said, len(wanted[i]))) for i in going}
        return [found[i] for i in sorted(found)]

    async def answers(self, block: BlockRef, reads: Sequence[Read] | Bundle) -> list[Answer]:
        """Return one answer per read, at the block. A ``Bundle`` keeps its calldata from one time to the next.

        A read that fails for want of gas looks like one that reverts: what fails anew is asked again in smaller
        calls before it counts as failed.
        """
        found = list[Answer]()
        for chunk, data in await self.pieces(block, reads):
            answers, doubtful = self._stated(chunk, data)
            if doubtful and not self.caps.is_ample(chunk):
                await self._ask_again(block, chunk, answers, doubtful)
            found += answers
        return found

    def is_one_call(self, bundle: Bundle) -> bool:
        """Return whether reads go into one eth_call as things are."""
        return len(bundle.chunks(self.caps, self.multicall)) <= 1

    async def pieces(self, block: BlockRef, reads: Sequence[Read] | Bundle) -> list[Piece]:
        """Return the calls that were made, in the order of the reads, each with what Multicall3 returned, proven."""
        bundle = reads if isinstance(reads, Bundle) else Bundle(reads)
        chunks = bundle.chunks(self.caps, self.multicall)
        if len(chunks) == 1:
            return await self._pieces(block, chunks[0])
        found = await asyncio.gather(*(self._pieces(block, chunk) for chunk in chunks))
        return [piece for pieces in found for piece in pieces]

    @property
    def has_others(self) -> bool:
        """Whether there is more than one node to read from."""
        return isinstance(self.node, Nodes) and self.node.has_others

    def beside(self, block: BlockRef, bundle: Bundle, after_s: float) -> Asked | None:
        """Begin to ask another node than the one our reads go to, after a moment; None where none is fit to be asked.

        Its answers are proven to be the block's, or an error is the result.
        """
        chunks = bundle.chunks(self.caps, self.multicall)
        pair = self.node.another(block.number) if isinstance(self.node, Nodes) and chunks else None
        if pair is None or not isinstance(self.node, Nodes):
            return None
        chunk, (ours, other) = chunks[0], pair

        def decode(name: str, result: Any) -> list[Answer]:
            data = _proven(name, block, result, len(chunk.reads))
            try:
                return multicall3.decode(data, len(chunk.reads) + 2)[2:]
            except ValueError as error:
                raise NodeAwayError(name, "eth_call", f"Multicall3 answered nonsense ({error})") from None

        call = {"to": self.multicall, "data": chunk.data}
        task = self.node.ask_one(other, after_s, decode, "eth_call", call, {"blockHash": block.hash})
        return Asked(block, chunk.data, ours, other, task)

    def find_the_liar(self, asked: Asked) -> None:
        """Of three nodes or more, set aside those that most others contradict, in the background."""
        if isinstance(self.node, Nodes):
            self.node.settle(asked.block, self.multicall, asked.data)

    async def code(self, block: BlockRef, account: Address) -> bytes:
        """Return an account's code at a block; empty for a plain account."""
        answer = await self.node.request("eth_getCode", account, {"blockHash": block.hash})
        try:
            return octets(answer or "0x")
        except ValueError as error:
            raise NodeAwayError(self.node.name, "eth_getCode", str(error)) from None

    async def _pieces(self, block: BlockRef, chunk: Chunk) -> list[Piece]:
        """Ask for a chunk; in halves where the node finds it too big. Raises what it says of a single read."""
        try:
            async with self._under_way:
                return [(chunk, await self._call(block, chunk))]
        except NodeRefusedError as error:
            if len(chunk.reads) == 1 or not is_too_big(error):
                raise
            self.caps.refused(chunk)
        halves = [self._pieces(block, laid_out(half, self.multicall)) for half in chunk.parts(2)]
        return [piece for pieces in await asyncio.gather(*halves) for piece in pieces]

    async def _call(self, block: BlockRef, chunk: Chunk) -> bytes:
        def decode(name: str, result: Any) -> bytes:
            return _proven(name, block, result, len(chunk.reads))

        asked = "eth_call", {"to": self.multicall, "data": chunk.data}, {"blockHash": block.hash}
        try:
            return await self.node.ask(decode, *asked)
        except NodeRefusedError as error:
            # Multicall3 lets every read fail: whoever says that it reverts itself is wrong, or short of gas
            if not (error.is_final and isinstance(self.node, Nodes)):
                raise
            return await self.node.elsewhere(error, decode, *asked)

    def _stated(self, chunk: Chunk, data: bytes) -> tuple[list[Answer], list[int]]:
        """Return a chunk's answers, and the places of those that failed and did not before."""
        results, failing = chunk.layout.read(data)[2:], self._failing
        failed = [i for i, (succeeded, _) in enumerate(results) if not succeeded]
        if failing:
            places = chunk.places
            failing -= {read for read in failing if (i := places.get(read)) is not None and results[i][0]}
        doubtful = [i for i in failed if chunk.reads[i] not in failing]
        return [body if succeeded and body else None for succeeded, body in results], doubtful

    async def _ask_again(self, block: BlockRef, chunk: Chunk, answers: list[Answer], doubtful: list[int]) -> None:
        """Put in the answers to what failed anew: asked again in smaller calls, with gas to spare."""
        failed = [chunk.reads[i] for i in doubtful]
        most = max(1, -(-len(chunk.reads) // PARTS))
        smaller = [laid_out(failed[i : i + most], self.multicall) for i in range(0, len(failed), most)]
        pieces = await asyncio.gather(*(self._pieces(block, each) for each in smaller))
        again = [a for part in pieces for each, raw in part for a in multicall3.decode(raw, len(each.reads) + 2)[2:]]
        for i, answer in zip(doubtful, again, strict=True):
            answers[i] = answer
        if any(answer is not None for answer in again):
            self.caps.starved(chunk)
        if len(self._failing) > _REMEMBERED:
            self._failing.clear()
        self._failing.update(read for read, answer in zip(failed, again, strict=True) if answer is None)

    def _calldata(self, reads: Sequence[Read]) -> str:
        return laid_out(reads, self.multicall).data

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
            number=quantity(header["number"]),
            hash=hash32(header["hash"]),
            parent_hash=hash32(header["parentHash"]),
            timestamp=quantity(header["timestamp"]),
            base_fee=Wei(quantity(header.get("baseFeePerGas") or "0x0", MOST_WEI)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NodeAwayError(node, method, f"the block header is incomplete ({error})") from None


def _proven(node: str, block: BlockRef, result: Any, count: int) -> bytes:
    """Return what a Multicall3 that began with its own time and chain returned, if they are the block's."""
    try:
        data = octets(result)
        proof = [int.from_bytes(body, "big") for _, body in islice(multicall3.outcomes(data, count + 2), 2)]
    except (ValueError, TypeError) as error:
        raise NodeAwayError(node, "eth_call", f"Multicall3 answered nonsense ({error})") from None
    if proof != [block.timestamp, block.chain_id]:
        raise StaleAnswerError(
            node, "eth_call", f"asked for block {block.number}, answered from {_other(block, *proof)}"
        )
    return data


def _other(block: BlockRef, timestamp: int, chain_id: int) -> str:
    """Return in words which block another than the one asked for is."""
    if chain_id != block.chain_id:
        return f"another chain ({chain_id})" if chain_id < MOST_SHOWN else "nonsense"
    away = timestamp - block.timestamp
    if abs(away) >= MOST_SHOWN:
        return "nonsense"
    return f"one that is {duration(abs(away))} {'newer' if away > 0 else 'older'}"


def _int(node: str, method: str, value: Any) -> int:
    try:
        return quantity(value)
    except ValueError as error:
        raise NodeError(node, method, f"not a number: {error}") from None
