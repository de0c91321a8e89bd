"""Answers and arguments in which every value is one word of 32 bytes, without a general codec.

Whatever is not in its plain form (a number above its type, padding that is not zero, another length) is left to the
general decoder, which knows what to say of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_WORD = 32
_UNSIGNED = re.compile(r"uint(\d+)")
_SIGNED = re.compile(r"int(\d+)")


@dataclass(frozen=True, slots=True)
class PlainWords:
    """The values of a function's outputs, word by word, and how they nest: in one tuple at most, or not at all."""

    values: tuple[Callable[[int], Any], ...]
    is_struct: bool
    """Whether all of them are the fields of one struct."""

    def read(self, answer: bytes) -> tuple[Any, ...] | None:
        """Return the outputs as the general decoder would; None where it has to look itself."""
        if len(answer) != len(self.values) * _WORD:
            return None
        begin, found = 0, []
        try:
            for value in self.values:
                found.append(value(int.from_bytes(answer[begin : begin + _WORD], "big")))
                begin += _WORD
        except OverflowError:
            return None
        return (tuple(found),) if self.is_struct else tuple(found)


def plain_arguments(inputs: Sequence[str], args: Sequence[Any]) -> bytes | None:
    """Return the words of arguments that are addresses and numbers; None where the general encoder has to look."""
    found = []
    for kind, arg in zip(inputs, args, strict=False):
        if kind == "address" and isinstance(arg, str) and len(arg) == 42:
            found.append(bytes(12) + bytes.fromhex(arg[2:]))
        elif (kind == "uint256" and type(arg) is int and 0 <= arg < 1 << 256) or (
            kind == "uint8" and type(arg) is int and 0 <= arg < 1 << 8
        ):
            found.append(arg.to_bytes(_WORD, "big"))
        else:
            return None
    return b"".join(found) if len(inputs) == len(args) else None


def plain_words(outputs: Sequence[str]) -> PlainWords | None:
    """Return how to read outputs of these types; None where one of them is not a single word."""
    is_struct = len(outputs) == 1 and outputs[0].startswith("(") and outputs[0].endswith(")")
    types = outputs[0][1:-1].split(",") if is_struct else list(outputs)
    values = [_value(kind) for kind in types]
    known = tuple(v for v in values if v is not None)
    return PlainWords(known, is_struct) if known and len(known) == len(values) else None


def _value(kind: str) -> Callable[[int], Any] | None:
    if found := _UNSIGNED.fullmatch(kind):
        return _unsigned(int(found[1]))
    if found := _SIGNED.fullmatch(kind):
        return _signed(int(found[1]))
    return {"bool": _bool, "address": _address}.get(kind)


def _unsigned(bits: int) -> Callable[[int], int]:
    def value(word: int) -> int:
        if word >> bits:
            raise OverflowError
        return word

    return _as_it_is if bits == 256 else value


def _as_it_is(word: int) -> int:
    return word


def _signed(bits: int) -> Callable[[int], int]:
    def value(word: int) -> int:
        number = word - (1 << 256) if word >> 255 else word
        if not -(1 << bits - 1) <= number < 1 << bits - 1:
            raise OverflowError
        return number

    return value


def _bool(word: int) -> bool:
    if word > 1:
        raise OverflowError
    return bool(word)


def _address(word: int) -> str:
    if word >> 160:
        raise OverflowError
    return "0x" + word.to_bytes(20, "big").hex()
