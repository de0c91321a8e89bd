"""Values as contracts write them: numbers, addresses, bytes, texts, arrays and tuples, to bytes and back.

As strict as eth-abi, which is what it is held against (``tests/venues/codec/test_values.py``), and in one point more:
what is written in two places at once is refused, so that a short answer never becomes a long one. It is written here
because a keeper that only reads needs no more: eth-abi brings 8 MiB of grammars and tables, and a tenth of a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from keeper.venues.codec.hashes import is_hex_address

WORD = 32
_NUMBER = re.compile(r"(u?)int(\d*)")
_FIXED_BYTES = re.compile(r"bytes(\d+)")
_SEVERAL = re.compile(r"(.+)\[(\d*)\]", re.DOTALL)


class EncodingError(ValueError):
    """A value does not fit its type."""


class DecodingError(ValueError):
    """Bytes are not values of the types they were read as."""


class Data:
    """Bytes that are being read; none of them twice, but for where a part begins."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self._left = len(octets)

    def take(self, at: int, size: int) -> bytes:
        """Return so many bytes from a place on. Raises DecodingError where there are not so many."""
        self._left -= size
        if at + size > len(self.octets) or self._left < 0:
            raise DecodingError(f"{size} bytes at {at} are more than there are")
        return self.octets[at : at + size]

    def number(self, at: int) -> int:
        """Return a word as a number."""
        return int.from_bytes(self.take(at, WORD), "big")


@dataclass(frozen=True, slots=True)
class Coder:
    """One type: how a value of it is written, and read at a place. Both raise as ``encode`` and ``decode``."""

    write: Callable[[Any], bytes]
    read: Callable[[Data, int], Any]
    head: int = WORD
    """Bytes it takes where it stands."""
    is_dynamic: bool = False
    """Whether what stands there is only where to find it."""


def encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """Return the bytes of values. Raises EncodingError where one does not fit its type."""
    return _write_row([coder(kind) for kind in types], values)


def decode(types: Sequence[str], octets: bytes) -> tuple[Any, ...]:
    """Return the values; bytes behind them are left alone. Raises DecodingError; UnicodeDecodeError for a text."""
    return _read_row([coder(kind) for kind in types], Data(octets), 0)


@cache
def coder(kind: str) -> Coder:
    """Return how a type is written and read. Raises ValueError for one that is not known here."""
    if found := _SEVERAL.fullmatch(kind):
        item = coder(found[1])
        return _list_of(item, int(found[2])) if found[2] else _array_of(item)
    if kind.startswith("(") and kind.endswith(")"):
        return _tuple_of([coder(part) for part in parts(kind[1:-1])])
    if found := _NUMBER.fullmatch(kind):
        return _number(int(found[2] or 256), is_signed=not found[1])
    if found := _FIXED_BYTES.fullmatch(kind):
        return _fixed_bytes(int(found[1]))
    try:
        return _PLAIN[kind]
    except KeyError:
        raise ValueError(f"{kind} is no type that is known here") from None


def parts(inside: str) -> list[str]:
    """Return the types that stand between the brackets of a tuple."""
    found, depth = [""], 0
    for sign in inside:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return [] if found == [""] else found


# --- several ---------------------------------------------------------------------------------------------------------


def _write_row(coders: Sequence[Coder], values: Any) -> bytes:
    if isinstance(values, str | bytes | bytearray) or not isinstance(values, Sequence) or len(values) != len(coders):
        raise EncodingError(f"{values!r} are not {len(coders)} values")
    place, heads, tails = sum(c.head for c in coders), list[bytes](), list[bytes]()
    for each, value in zip(coders, values, strict=True):
        octets = each.write(value)
        if not each.is_dynamic:
            heads.append(octets)
            continue
        heads.append(place.to_bytes(WORD, "big"))
        tails.append(octets)
        place += len(octets)
    return b"".join((*heads, *tails))


def _read_row(coders: Sequence[Coder], data: Data, begin: int) -> tuple[Any, ...]:
    end, at, found = begin + sum(c.head for c in coders), begin, []
    for each in coders:
        place = at
        if each.is_dynamic:
            place = begin + data.number(at)
            if not end <= place < len(data.octets):
                raise DecodingError(f"a part at {place} lies outside")
        found.append(each.read(data, place))
        at += each.head
    return tuple(found)


def _tuple_of(coders: list[Coder]) -> Coder:
    is_dynamic = any(c.is_dynamic for c in coders)
    return Coder(
        lambda values: _write_row(coders, values),
        lambda data, at: _read_row(coders, data, at),
        WORD if is_dynamic else sum(c.head for c in coders),
        is_dynamic,
    )


def _list_of(item: Coder, count: int) -> Coder:
    return _tuple_of([item] * count)


def _array_of(item: Coder) -> Coder:
    def write(values: Any) -> bytes:
        count = len(values) if isinstance(values, Sequence) else 0
        row = _write_row([item] * count, values)
        return count.to_bytes(WORD, "big") + row

    def read(data: Data, at: int) -> tuple[Any, ...]:
        count = data.number(at)
        if count * item.head > len(data.octets):
            raise DecodingError(f"{count} items are more than there are")
        return _read_row([item] * count, data, at + WORD)

    return Coder(write, read, is_dynamic=True)


# --- one -------------------------------------------------------------------------------------------------------------


def _number(bits: int, *, is_signed: bool) -> Coder:
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)

    def write(value: Any) -> bytes:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise EncodingError(f"{value!r} is no number of {bits} bits")
        return value.to_bytes(WORD, "big", signed=is_signed)

    def read(data: Data, at: int) -> int:
        value = int.from_bytes(data.take(at, WORD), "big", signed=is_signed)
        if not least <= value <= most:
            raise DecodingError(f"{value} is more than {bits} bits hold")
        return value

    return Coder(write, read)


def _fixed_bytes(size: int) -> Coder:
    def write(value: Any) -> bytes:
        if not isinstance(value, bytes | bytearray) or len(value) > size:
            raise EncodingError(f"{value!r} are no {size} bytes")
        return bytes(value).ljust(WORD, b"\0")

    def read(data: Data, at: int) -> bytes:
        word = data.take(at, WORD)
        if any(word[size:]):
            raise DecodingError(f"more than {size} bytes at {at}")
        return word[:size]

    return Coder(write, read)


def _write_bool(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise EncodingError(f"{value!r} is neither true nor false")
    return int(value).to_bytes(WORD, "big")


def _read_bool(data: Data, at: int) -> bool:
    if (value := data.number(at)) > 1:
        raise DecodingError(f"{value} is neither true nor false")
    return value == 1


def _write_address(value: Any) -> bytes:
    if isinstance(value, bytes) and len(value) == 20:
        return value.rjust(WORD, b"\0")
    if not isinstance(value, str) or not is_hex_address(value):
        raise EncodingError(f"{value!r} is not an address")
    return bytes.fromhex(value[-40:]).rjust(WORD, b"\0")


def _read_address(data: Data, at: int) -> str:
    word = data.take(at, WORD)
    if any(word[:12]):
        raise DecodingError(f"what stands at {at} is longer than an address")
    return "0x" + word[12:].hex()


def _write_bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray):
        raise EncodingError(f"{value!r} are no bytes")
    return len(value).to_bytes(WORD, "big") + bytes(value) + bytes(-len(value) % WORD)


def _read_bytes(data: Data, at: int) -> bytes:
    size = data.number(at)
    octets = data.take(at + WORD, size + -size % WORD)
    if any(octets[size:]):
        raise DecodingError(f"padding at {at} is not zero")
    return octets[:size]


def _write_text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise EncodingError(f"{value!r} is no text")
    return _write_bytes(value.encode())


def _read_text(data: Data, at: int) -> str:
    return _read_bytes(data, at).decode()


_PLAIN = {
    "bool": Coder(_write_bool, _read_bool),
    "address": Coder(_write_address, _read_address),
    "bytes": Coder(_write_bytes, _read_bytes, is_dynamic=True),
    "string": Coder(_write_text, _read_text, is_dynamic=True),
}
