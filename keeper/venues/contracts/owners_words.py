"""What an owner signs to let an agent act for him (EIP-712): the same five values, whatever a market calls them."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.units import Address
from keeper.venues.codec.hashes import keccak
from keeper.venues.ports import Mandate


@dataclass(frozen=True, slots=True)
class OwnersWords:
    """What a market makes of an owner's next words: its domain, reckoned here, and the hash of its own type."""

    owner: Address
    nonce: int
    separator: bytes
    type_hash: bytes

    def digest(self, word: Mandate) -> bytes:
        """Return what is signed."""
        values = (word.owner, word.agent, int(word.is_on), word.nonce, word.deadline)
        return keccak(b"\x19\x01" + self.separator + keccak(self.type_hash + b"".join(word_of(v) for v in values)))


def word_of(value: Address | int) -> bytes:
    """Return a value in the 32 bytes that it is hashed in."""
    return value.to_bytes(32, "big") if isinstance(value, int) else bytes(12) + bytes.fromhex(value[2:])
