"""EIP-2612: an owner's word that a spender may take so much of a token, signed and not sent. Whoever has it may use it.

Source: the EIP, and ``AToken.permit`` of Aave v3. The domain is reckoned from the token's address, its
name and our chain, and must be what the token says: a node that answers with another's gets no signature for that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.units import Address
from keeper.venues.codec.abi import load
from keeper.venues.codec.hashes import keccak
from keeper.venues.ports import Answer, Permit, Probe, Read

_TOKEN = load("erc20_permit")
TYPE_HASH = keccak(text="Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)")
DOMAIN = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
VERSION = keccak(text="1")


@dataclass(frozen=True, slots=True)
class PermitTerms:
    """What a token makes of an owner's next permit: its domain, and the number that the permit uses up."""

    token: Address
    owner: Address
    separator: bytes
    nonce: int

    def digest(self, spender: Address, amount: int, deadline: int) -> bytes:
        """Return what is signed (EIP-712)."""
        words = (self.owner, spender, amount, self.nonce, deadline)
        said = TYPE_HASH + b"".join(_word(word) for word in words)
        return keccak(b"\x19\x01" + self.separator + keccak(said))


def nonce_read(token: Address, owner: Address) -> Read:
    """Return the read of how many permits of an owner a token has used up."""
    return _TOKEN.nonces.read(token, owner)


def terms_probe(token: Address, owner: Address, chain_id: int) -> Probe[PermitTerms | None]:
    """Return the probe of what a permit needs; None where the token takes none, or its domain is not its own."""

    def decode(answers: Sequence[Answer]) -> PermitTerms | None:
        name = _TOKEN.name.decode_or_none(answers[0])
        said = _TOKEN.DOMAIN_SEPARATOR.decode_or_none(answers[1])
        nonce = _TOKEN.nonces.decode_or_none(answers[2])
        if name is None or said is None or nonce is None or said[0] != separator_of(token, name[0], chain_id):
            return None
        return PermitTerms(token, owner, said[0], nonce[0])

    return Probe((_TOKEN.name.read(token), _TOKEN.DOMAIN_SEPARATOR.read(token), nonce_read(token, owner)), decode)


def separator_of(token: Address, name: str, chain_id: int) -> bytes:
    """Return the domain of a token's permits, of version 1: its own, and of no other token or chain."""
    return keccak(DOMAIN + keccak(text=name) + VERSION + _word(chain_id) + _word(token))


def encode_permit(owner: Address, spender: Address, permit: Permit) -> bytes:
    """Return the calldata that uses a permit."""
    return _TOKEN.permit.encode(owner, spender, permit.amount, permit.deadline, permit.v, permit.r, permit.s)


def _word(value: Address | int) -> bytes:
    return value.to_bytes(32, "big") if isinstance(value, int) else bytes(12) + bytes.fromhex(value[2:])
