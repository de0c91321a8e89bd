"""What nodes write as text, read strictly: quantities within a bound, bytes, hashes. Everything raises ValueError.

``int(text, 16)`` takes a sign, blanks, underscores and numbers without end; ``bytes.fromhex`` takes blanks. None of
that is an answer of a node.
"""

from __future__ import annotations

import re
from typing import Any, Final

LARGEST: Final = 2**63 - 1
"""Of a nonce, a block number, a time, gas: what the journal can hold. None comes near it."""
MOST_WEI: Final = 2**128 - 1
"""Of an amount of the native currency or a price of gas: far above all there is."""
_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}")
_SHOWN: Final = 40
_MOST_SAID: Final = 600


def quantity(value: Any, most: int = LARGEST) -> int:
    """Return a quantity as nodes write it: 0x and hexadecimal digits, at most ``most``."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a quantity")
    if (found := int(value, 16)) > most:
        raise ValueError(f"{shown(value)} is more than can be")
    return found


def octets(value: Any) -> bytes:
    """Return bytes as nodes write them: 0x and pairs of hexadecimal digits."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError(f"{shown(value)} is not bytes")
    found = bytes.fromhex(value[2:])
    if 2 * len(found) != len(value) - 2:  # it skips blanks
        raise ValueError(f"{shown(value)} is not bytes")
    return found


def hash32(value: Any) -> str:
    """Return a hash in small letters: 0x and 64 hexadecimal digits."""
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a hash")
    return value.lower()


def shown(value: Any) -> str:
    """Return a value of a node as it may stand in a message: short, in one line, nothing a terminal obeys."""
    text = f"a {type(value).__name__}" if isinstance(value, dict | list) else repr(value)
    return plain(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def plain(text: str) -> str:
    """Return what a node said as it may go to a log, a journal and a terminal: of bounded length, printable."""
    return "".join(c if c.isprintable() else " " for c in text[:_MOST_SAID])
