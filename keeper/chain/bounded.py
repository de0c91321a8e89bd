"""A node's bytes, bounded before they become anything: how many, how deep, how many values; then JSON. No I/O.

A parser asked for more than memory or its stack holds ends the process, and no handler sees it. So size, nesting and
the number of values are counted first, by scans that cost about what reading the bytes does.
"""

from __future__ import annotations

import re
import zlib
from types import MappingProxyType
from typing import Final

import orjson

from keeper.chain.errors import NodeAwayError, NodeError, OversizedError

DEEPEST: Final = 64
"""Arrays and objects within one another; the deepest answer that is asked for, a simulation's topics, has ten."""
MOST_VALUES: Final = 200_000
"""Values in one answer. Ten thousand logs, the most that nodes grant, have 140,000."""
_MEBI: Final = 2**20
_USUAL: Final = _MEBI
_MOST: Final = MappingProxyType(
    {
        "eth_call": 8 * _MEBI,
        "eth_getBlockByHash": 4 * _MEBI,
        "eth_getBlockByNumber": 4 * _MEBI,
        "eth_getBlockReceipts": 16 * _MEBI,
        "eth_getLogs": 16 * _MEBI,
        "eth_getTransactionByHash": 2 * _MEBI,
        "eth_getTransactionReceipt": 8 * _MEBI,
        "eth_simulateV1": 16 * _MEBI,
    }
)
LARGEST: Final = max(_MOST.values())
"""Bytes of the largest answer to anything."""
_DIVISIBLE: Final = frozenset({"eth_call", "eth_getLogs"})
_ESCAPES: Final = re.compile(rb"\\.", re.DOTALL)
_ESCAPED: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape; with a group where it is half of a surrogate pair: no text holds that, and what a contract says may."""
_STRINGS: Final = re.compile(rb'"[^"]*"?')
_NO_STRUCTURE: Final = bytes(b for b in range(256) if b not in b'"[]{}')
_LONG: Final = 4096
_ENCODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})


class UnfitAnswerError(ValueError):
    """Bytes that are not JSON, or JSON that is not parsed: too deep, or of too many values."""


def most_bytes(method: str) -> int:
    """Return how long the answer to a method may be, decompressed."""
    return _MOST.get(method, _USUAL)


def oversized(node: str, method: str, most: int = LARGEST) -> NodeError:
    """Return the error of an answer that is too long: of one that can be asked for in parts, that it should be."""
    detail = f"the answer is longer than {min(most, most_bytes(method))} bytes"
    return (
        OversizedError(node, method, 0, detail, None) if method in _DIVISIBLE else NodeAwayError(node, method, detail)
    )


def parsed(data: bytes) -> object:
    """Return what JSON bytes say. Raises UnfitAnswerError; never touches the parser with what it may not survive.

    A whole number beyond 64 bits comes as a float, one beyond all floats is refused: what nodes mean they write as
    text (``venues.codec.quantities``), and a number in its place is refused by whoever reads it.
    """
    rest = _without_payload(data)
    containers = rest.count(b"[") + rest.count(b"{")
    values = containers + rest.count(b",")
    if values > MOST_VALUES or max(rest.count(b'"'), rest.count(b"\\")) > 4 * MOST_VALUES:
        raise UnfitAnswerError(f"more than {MOST_VALUES} values")
    if containers > DEEPEST and not is_shallow(data):
        raise UnfitAnswerError(f"nested deeper than {DEEPEST}")
    try:
        # it reads UTF-8 and nothing else: in another encoding the scan would have seen other brackets than the parser
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if (whole := _ESCAPED.sub(_without_halves, data)) != data:
            return parsed(whole)
        raise UnfitAnswerError(f"not JSON ({type(error).__name__})") from None


def _without_payload(data: bytes) -> bytes:
    """Return JSON without the inside of its first text of hex where that is long: it holds no structure to be counted.

    It begins at a quote and has neither quote nor escape within. Were that quote the end of a text and not its
    beginning, a parser would go no further than the digit behind it.
    """
    begin = data.find(b'"0x') + 1
    end = data.find(b'"', begin)
    if not begin or end - begin < _LONG or data.find(b"\\", begin, end) >= 0:
        return data
    return data[:begin] + data[end:]


def _without_halves(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]


def is_shallow(data: bytes) -> bool:
    """Return whether arrays and objects are nested within bounds, brackets inside strings left out."""
    without_escapes = _ESCAPES.sub(b"", data) if b"\\" in data else data
    level = 0
    for bracket in _STRINGS.sub(b"", without_escapes.translate(None, _NO_STRUCTURE)):
        level += 1 if bracket in b"[{" else -1
        if not 0 <= level <= DEEPEST:
            return False
    return True


def unpacked(data: bytes, encoding: str, most: int) -> bytes | None:
    """Return a body decompressed, None when it is longer than ``most``. Raises UnfitAnswerError."""
    if encoding in ("", "identity"):
        return data if len(data) <= most else None
    if encoding not in _ENCODINGS:
        raise UnfitAnswerError(f"content encoding {encoding!r}")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        found = unpacker.decompress(data, most + 1)
    except zlib.error:
        raise UnfitAnswerError(f"not {encoding}") from None
    if len(found) > most:
        return None
    if not unpacker.eof:
        raise UnfitAnswerError(f"{encoding} cut short")
    return found
