"""How many reads go into one eth_call: within what a node takes, learned where it says no. No I/O.

A node bounds an eth_call by gas, by bytes and by time, and says so in many ways. What it refused is asked again in
halves, and never more than that at once from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from keeper.chain.errors import NodeRefusedError, TooBigError
from keeper.chain.refusals import is_too_heavy
from keeper.core.units import Address
from keeper.venues.contracts import multicall3
from keeper.venues.ports import Read

AMPLE: Final = 4
"""A node that grants this many times the gas a call is thought to need starves no read in it."""
PARTS: Final = 8
"""Reads that failed are asked again in calls this many times smaller, before it is believed of them."""
_ANSWER: Final = 192  # bytes of a usual large answer, getUserAccountData's


@dataclass(frozen=True)
class Chunk:
    """Reads of one eth_call, laid out."""

    reads: tuple[Read, ...]
    data: str
    gas: int
    layout: multicall3.Layout = field(compare=False)
    """Of the answer: the proof's two results, then one for each read."""

    @cached_property
    def places(self) -> dict[Read, int]:
        """Where each read is."""
        return {read: i for i, read in enumerate(self.reads)}

    def parts(self, count: int) -> Iterator[tuple[Read, ...]]:
        """Yield the reads in about ``count`` parts, none of them empty."""
        size = -(-len(self.reads) // count)
        for i in range(0, len(self.reads), size):
            yield self.reads[i : i + size]


@dataclass(slots=True)
class CallRoom:
    """What is left of one eth_call."""

    reads: int
    gas: int
    size: int

    def takes(self, more: Sequence[Read]) -> bool:
        """Take reads if there is room for all of them, and return whether there was."""
        gas, size = sum(read.gas for read in more), sum(_size(read) for read in more)
        if len(more) > self.reads or gas > self.gas or size > self.size:
            return False
        self.reads, self.gas, self.size = self.reads - len(more), self.gas - gas, self.size - size
        return True


class Caps:
    """What one eth_call may be: what the owner allows, or less where a node refused or starved it."""

    def __init__(self, reads: int, gas: int, size: int) -> None:
        self._most = reads, gas
        self.reads, self.gas, self.size = reads, gas, size
        self.granted: int | None = None
        """Gas that the node was seen to grant a call; None when it did not say."""

    @property
    def state(self) -> tuple[int, int, int]:
        """What a split depends on."""
        return self.reads, self._budget, self.size

    def split(self, reads: Sequence[Read]) -> Iterator[tuple[Read, ...]]:
        """Yield reads in their order, as many at a time as one call may have; at least one."""
        begin = gas = size = 0
        for i, read in enumerate(reads):
            gas, size = gas + read.gas, size + _size(read)
            if i > begin and (i - begin >= self.reads or gas > self._budget or size > self.size):
                yield tuple(reads[begin:i])
                begin, gas, size = i, read.gas, _size(read)
        if begin < len(reads):
            yield tuple(reads[begin:])

    def room(self) -> CallRoom:
        """Return an empty call, to be filled."""
        return CallRoom(self.reads, self._budget, self.size)

    def refused(self, chunk: Chunk) -> None:
        """Learn that a call was too much: half of it is the most from now on."""
        self.reads = max(1, min(self.reads, len(chunk.reads) // 2))
        self.gas = max(1, min(self._budget, chunk.gas // 2))

    def starved(self, chunk: Chunk) -> None:
        """Learn that reads failed in a call, and not in a smaller one."""
        self.gas = max(1, min(self._budget, chunk.gas // PARTS))

    def relax(self) -> None:
        """Dare twice as much again, up to what the owner allows: a node may have been changed, or only been busy."""
        self.reads, self.gas = min(self._most[0], 2 * self.reads), min(self._most[1], 2 * self.gas)

    def is_ample(self, chunk: Chunk) -> bool:
        """Whether no read of a call can have failed for want of gas."""
        return self.granted is not None and chunk.gas * AMPLE <= self.granted

    @property
    def _budget(self) -> int:
        return self.gas if self.granted is None else min(self.gas, self.granted // 2)


class Bundle:
    """Reads that are asked together again and again: their calldata is laid out once, and only reused."""

    def __init__(self, reads: Sequence[Read]) -> None:
        self.reads = tuple(reads)
        self._state: object = None
        self._chunks: tuple[Chunk, ...] = ()

    def chunks(self, caps: Caps, multicall: Address) -> tuple[Chunk, ...]:
        """Return the calls these reads make under the present caps."""
        if self._state != (caps.state, multicall):
            self._chunks = tuple(laid_out(part, multicall) for part in caps.split(self.reads))
            self._state = (caps.state, multicall)
        return self._chunks


def laid_out(reads: Sequence[Read], multicall: Address) -> Chunk:
    """Return one call of reads, which begins with the proof of the block that answers: its time and its chain."""
    data = "0x" + multicall3.encode((*proofs(multicall), *reads)).hex()
    return Chunk(tuple(reads), data, sum(read.gas for read in reads), multicall3.Layout(len(reads) + 2))


def proofs(multicall: Address) -> tuple[Read, Read]:
    """Return the reads that show which block answered."""
    return multicall3.timestamp().read(multicall), multicall3.chain_id().read(multicall)


def is_too_big(error: NodeRefusedError) -> bool:
    """Return whether a node refused a call for what it takes: gas, bytes or time. Less at once may go."""
    return isinstance(error, TooBigError) or is_too_heavy(error.message)


def _size(read: Read) -> int:
    """Return the bytes of JSON that a read takes, there and back."""
    padded = -(-len(read.data) // 32) * 32
    return 2 * (5 * 32 + padded + 4 * 32 + _ANSWER)
