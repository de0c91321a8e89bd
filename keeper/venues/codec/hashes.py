"""Keccak-256, and addresses with the checksum that is made of it (EIP-55)."""

from __future__ import annotations

import re

from eth_hash.auto import keccak as _keccak

_ADDRESS = re.compile(r"(0[xX])?[0-9a-fA-F]{40}")


def keccak(data: bytes = b"", *, text: str | None = None) -> bytes:
    """Return the hash of bytes, or of a text in UTF-8."""
    return bytes(_keccak(data if text is None else text.encode()))


def is_hex_address(text: str) -> bool:
    """Return whether a text is 40 digits of hex, with or without 0x."""
    return _ADDRESS.fullmatch(text) is not None


def has_mixed_case(text: str) -> bool:
    """Return whether an address is written with capitals and small letters, and so claims to have a checksum."""
    digits = text[-40:]
    return digits not in (digits.lower(), digits.upper())


def to_checksum_address(value: str | bytes) -> str:
    """Return 20 bytes, or an address however written, with its checksum. Raises ValueError for anything else."""
    digits = value.hex() if isinstance(value, bytes) else value[-40:].lower()
    if len(digits) != 40 or not is_hex_address(digits if isinstance(value, bytes) else value):
        raise ValueError(f"{value!r} is not an address")
    hashed = keccak(digits.encode()).hex()
    return "0x" + "".join(c.upper() if h > "7" else c for c, h in zip(digits, hashed, strict=False))
