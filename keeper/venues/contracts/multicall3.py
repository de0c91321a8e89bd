"""Multicall3: many reads in one eth_call, with a proof of the block they were answered at.

Calldata is laid out by hand: for hundreds of reads that is ten times faster than a general encoder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from keeper.core.units import Address
from keeper.venues.codec.abi import Function, load
from keeper.venues.codec.hashes import keccak
from keeper.venues.ports import Answer, Read

ADDRESS = Address("0xcA11bde05977b3631167028862bE2a173976CA11")
_AGGREGATE3 = keccak(text="aggregate3((address,bool,bytes)[])")[:4]
_WORD = 32
_ZEROS = bytes(12)
_FLAG_AND_OFFSET = (1).to_bytes(32, "big") + (3 * 32).to_bytes(32, "big")
_low = struct.Struct(">24xQ").unpack_from  # of a word that is a length, a place or a flag


class BadAnswerError(ValueError):
    """The bytes returned are not what aggregate3 returns."""


def timestamp() -> Function:
    """Return the function that gives the block's own time."""
    return load("multicall3").getCurrentBlockTimestamp


def chain_id() -> Function:
    """Return the function that gives the chain."""
    return load("multicall3").getChainId


def balance_of() -> Function:
    """Return the function that gives an account's native balance."""
    return load("multicall3").getEthBalance


def encode(reads: Sequence[Read]) -> bytes:
    """Return the calldata of ``aggregate3`` with every call allowed to fail."""
    heads, tails, offset = [], [], len(reads) * _WORD
    for read in reads:
        tail = _tail(read)
        tails.append(tail)
        heads.append(offset.to_bytes(_WORD, "big"))
        offset += len(tail)
    return b"".join((_AGGREGATE3, _word(_WORD), _word(len(reads)), *heads, *tails))


def decode(data: bytes, count: int) -> list[Answer]:
    """Return one answer per read. Raises BadAnswerError when the shape is not that of ``count`` results."""
    return [body if succeeded and body else None for succeeded, body in outcomes(data, count)]


def outcomes(data: bytes, count: int) -> Iterator[tuple[bool, bytes]]:
    """Yield of each read whether it succeeded, and what it returned. Raises BadAnswerError as ``decode`` does."""
    start, size = 2 * _WORD, len(data)
    if size < start + count * _WORD or _int(data, 0) != _WORD or _int(data, _WORD) != count:
        raise BadAnswerError(f"{size} bytes do not hold {count} results")
    try:
        for i in range(count):
            at = start + _low(data, start + i * _WORD)[0]
            begin = at + 3 * _WORD
            end = begin + _low(data, at + 2 * _WORD)[0]
            if end > size:
                raise BadAnswerError(f"result {i} is cut short")
            yield _low(data, at)[0] != 0, data[begin:end]
    except (struct.error, OverflowError):
        raise BadAnswerError("a result lies beyond the end") from None


class Layout:
    """Where the results of one call lie in its answer: the same reads are answered alike again and again.

    Learned of the second answer; each further one of the same shape is read in a single step.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._known: tuple[bytes, struct.Struct, tuple[int, ...]] | None = None
        self._is_used_again = False

    def read(self, data: bytes) -> list[tuple[bool, bytes]]:
        """Return ``outcomes``. Raises BadAnswerError as that does."""
        if self._known is not None:
            heads, form, lengths = self._known
            if len(data) == form.size and data.startswith(heads):
                found = form.unpack(data)
                if found[1::3] == lengths:
                    return [(flag != 0, body) for flag, body in zip(found[::3], found[2::3], strict=True)]
        results = list(outcomes(data, self._count))
        if self._is_used_again:
            self._known = _shape(data, [len(body) for _, body in results])
        self._is_used_again = True
        return results


def _shape(data: bytes, lengths: Sequence[int]) -> tuple[bytes, struct.Struct, tuple[int, ...]] | None:
    """Return the shape of an answer that has its results one behind the other, as Multicall3 writes them."""
    heads = data[: (2 + len(lengths)) * _WORD]
    form, at = [f">{len(heads)}x"], 2 * _WORD
    offset = len(lengths) * _WORD
    for length in lengths:
        if _low(data, at)[0] != offset or _low(data, 2 * _WORD + offset + _WORD)[0] != 2 * _WORD:
            return None
        padded = length + -length % _WORD
        form.append(f"24xQ{_WORD}x24xQ{length}s{padded - length}x")
        at, offset = at + _WORD, offset + 3 * _WORD + padded
    shape = struct.Struct("".join(form))
    return (heads, shape, tuple(lengths)) if shape.size == len(data) else None


def _tail(read: Read) -> bytes:
    size = len(read.data)
    padding = bytes(-size % _WORD)
    return b"".join((_ZEROS, bytes.fromhex(read.to[2:]), _FLAG_AND_OFFSET, _word(size), read.data, padding))


def _word(value: int) -> bytes:
    return value.to_bytes(_WORD, "big")


def _int(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + _WORD], "big")
