"""Answers in which every value is one word of 32 bytes, read without a general decoder.

Whatever is not in its plain form (a number above its type, padding that is not zero, another length) is left to the
general decoder, which knows what to say of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from eth_utils.address import to_normalized_address

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
        count = len(self.values)
        if len(answer) != count * _WORD:
            return None
        places = pairwise(range(0, (count + 1) * _WORD, _WORD))
        try:
            found = tuple(
                [value(int.from_bytes(answer[a:b], "big")) for value, (a, b) in zip(self.values, places, strict=True)]
            )
        except OverflowError:
            return None
        return (found,) if self.is_struct else found


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

    return value


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
    return str(to_normalized_address(word.to_bytes(20, "big")))
