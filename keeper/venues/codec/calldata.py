"""Calldata read strictly, word by word, for the gate: one form of each call is accepted and no other.

This reader shares nothing with the encoder (``abi``, over ``values``): a mistake of either is seen where they differ.
What a contract would read leniently is refused here: bytes behind the arguments, padding that is not zero, a number
above its type, parts out of order or with gaps between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from keeper.core.units import Address
from keeper.venues.codec.abi import address
from keeper.venues.codec.hashes import keccak
from keeper.venues.effects import Call, Decoder, Effect

WORD = 32


@dataclass(frozen=True, slots=True)
class ArgumentType:
    """A type of an argument. ``parts`` are a tuple's fields, or the one kind of an array's items."""

    name: str
    parts: tuple[ArgumentType, ...] = ()

    @property
    def is_dynamic(self) -> bool:
        """Whether its place in the head holds where it is, and not itself."""
        return self.name in ("bytes", "array") or any(part.is_dynamic for part in self.parts)

    @property
    def head(self) -> int:
        """Bytes it takes in the head."""
        return WORD if self.is_dynamic or not self.parts else sum(part.head for part in self.parts)


@dataclass(frozen=True, slots=True)
class Signature:
    """A function as its contract names it: ``transfer(address,uint256)``."""

    text: str
    selector: bytes
    inputs: ArgumentType

    def read(self, calldata: bytes) -> tuple[Any, ...]:
        """Return the arguments. Raises ValueError when it is not a call of this function in its plain form."""
        return _arguments(self, calldata)


@cache
def signature(text: str) -> Signature:
    """Return a signature. Raises ValueError for a type that this reader does not know."""
    name, inside = text.split("(", 1)
    kind, rest = _kind(f"({inside}")
    if rest or not name:
        raise ValueError(f"{text} is no signature")
    return Signature(text, keccak(text=text)[:4], kind)


def decoder(readers: dict[str, Callable[..., tuple[Effect, ...]]]) -> Decoder:
    """Return what decodes calls to one contract: by signature, what its arguments come to."""
    known = {found.selector: (found, then) for found, then in ((signature(s), then) for s, then in readers.items())}

    def decode(call: Call) -> tuple[Effect, ...]:
        found = known.get(call.data[:4])
        if found is None:
            raise ValueError(f"function 0x{call.data[:4].hex()} is not one a keeper calls")
        of, then = found
        return then(*of.read(call.data))

    return decode


def refuse(is_so: bool, what: str) -> None:
    """Raise ValueError for what a keeper never sends."""
    if is_so:
        raise ValueError(f"{what} is not what a keeper sends")


@lru_cache(maxsize=1024)
def _arguments(of: Signature, calldata: bytes) -> tuple[Any, ...]:
    """The same bytes are read once: the gate sees each plan when it is armed, matched and sent."""
    if calldata[:4] != of.selector:
        raise ValueError(f"not a call of {of.text}")
    data = calldata[4:]
    try:
        values, end = _tuple(of.inputs.parts, data, 0)
    except ValueError as error:
        raise ValueError(f"{of.text}: {error}") from error
    if end != len(data):
        raise ValueError(f"{of.text}: {len(data) - end} bytes behind the arguments")
    return values


def _tuple(kinds: tuple[ArgumentType, ...], data: bytes, begin: int) -> tuple[tuple[Any, ...], int]:
    """Return values side by side and where they end: each part must begin where the one before it ended."""
    values, place = list[Any](), begin
    tail = begin + sum(kind.head for kind in kinds)
    for kind in kinds:
        if kind.is_dynamic:
            if begin + _word(data, place) != tail:
                raise ValueError("calldata is not in its plain form")
            value, tail = _dynamic(kind, data, tail)
        elif kind.parts:
            value, _ = _tuple(kind.parts, data, place)
        else:
            value = _plain(kind.name, _word(data, place))
        values.append(value)
        place += kind.head
    return tuple(values), tail


def _dynamic(kind: ArgumentType, data: bytes, begin: int) -> tuple[Any, int]:
    if kind.name == "tuple":
        return _tuple(kind.parts, data, begin)
    length, begin = _word(data, begin), begin + WORD
    if length > len(data):
        raise ValueError("calldata is cut short")
    if kind.name == "array":
        return _tuple(kind.parts * length, data, begin)
    end = begin + -(-length // WORD) * WORD
    if end > len(data) or any(data[begin + length : end]):
        raise ValueError("calldata is not in its plain form")
    return data[begin : begin + length], end


def _word(data: bytes, at: int) -> int:
    if at + WORD > len(data):
        raise ValueError("calldata is cut short")
    return int.from_bytes(data[at : at + WORD], "big")


def _plain(name: str, word: int) -> Any:
    """Return the value of one word. Raises ValueError for one that is not in its plain form."""
    if name == "bytes32":
        return word.to_bytes(WORD, "big")
    if word >> _BITS[name]:
        raise ValueError(f"{name}: padding that is not zero")
    if name == "address":
        return Address(address(word.to_bytes(20, "big")))
    return bool(word) if name == "bool" else word


_BITS = {
    "address": 160,
    "bool": 1,
    "uint8": 8,
    "uint16": 16,
    "uint24": 24,
    "uint48": 48,
    "uint128": 128,
    "uint160": 160,
    "uint256": 256,
    "bytes32": 256,
}


def _kind(text: str) -> tuple[ArgumentType, str]:
    """Return the kind a text begins with, and the rest of the text."""
    if text.startswith("("):
        parts, rest = list[ArgumentType](), text[1:]
        while not rest.startswith(")"):
            part, rest = _kind(rest.removeprefix(","))
            parts.append(part)
        found, rest = ArgumentType("tuple", tuple(parts)), rest[1:]
    else:
        name = next((n for n in (*sorted(_BITS, key=len, reverse=True), "bytes") if text.startswith(n)), "")
        if not name:
            raise ValueError(f"{text} begins with no known type")
        found, rest = ArgumentType(name), text[len(name) :]
    while rest.startswith("[]"):
        found, rest = ArgumentType("array", (found,)), rest[2:]
    return found, rest
