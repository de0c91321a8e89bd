"""Transactions that somebody else signs: what comes back is decoded anew, and is what was asked for, byte for byte."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import rlp
from coincurve import PublicKey
from rlp.exceptions import DecodingError

from keeper.core.notices import printable
from keeper.core.units import Address
from keeper.execution.signer import ORDINARY, Envelope, Hears, Signed
from keeper.execution.unsigned import otherwise, refused
from keeper.venues.codec.hashes import keccak, to_checksum_address
from keeper.venues.contracts.permit import PermitTerms
from keeper.venues.ports import Call, Mandate, MandateTerms, Permit

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the curve secp256k1. Its upper half is no signature on Ethereum (EIP-2)."""
SPARE_BYTES = 200
"""What a signed transaction may be longer than the unsigned one."""


class Elsewhere:
    """What all signers have in common whose key is not in this process: they are asked, and may be slow."""

    is_at_hand = False
    patience_s: ClassVar[float] = 5.0
    """How long an answer is no news."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._hears: Hears | None = None

    def report_to(self, hears: Hears) -> None:
        """Report from now on what is waited for."""
        self._hears = hears

    async def signed(self, call: Call, envelope: Envelope) -> Signed:
        """Return signed bytes: exactly the transaction that was asked for. Raises UnsignedError."""
        loop = asyncio.get_running_loop()
        late = loop.call_later(self.patience_s, self._is_late, printable(call.purpose) or "a transaction")
        try:
            found = await self._signed(call, envelope)
        finally:
            late.cancel()
        if self._hears is not None:
            self._hears.signed_at_last(self.address)
        return found

    async def _signed(self, call: Call, envelope: Envelope) -> Signed:
        raise NotImplementedError

    def _is_late(self, purpose: str) -> None:
        if self._hears is not None:
            self._hears.unsigned(self.address, purpose, self.patience_s)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"

    def sign_permit(self, terms: PermitTerms, spender: Address, amount: int, deadline: int) -> Permit:
        """Raise ValueError: it signs transactions alone."""
        raise ValueError(f"the signer of {self.address} signs transactions only, and no permit")

    def sign_mandate(self, terms: MandateTerms, word: Mandate) -> Mandate:
        """Raise ValueError: it signs transactions alone."""
        raise ValueError(f"the signer of {self.address} signs transactions only, and no word to a market")

    def sign_hash(self, digest: bytes) -> bytes:
        """Raise UnsignedError: it signs transactions alone."""
        raise refused(f"the signer of {self.address} signs transactions only")

    async def close(self) -> None:
        """Let go of nothing."""


def fields_of(call: Call, envelope: Envelope) -> list[Any]:
    """Return what a signature of an ordinary transaction covers, as it is laid out (EIP-1559). Raises UnsignedError."""
    if envelope.delegate is not None:
        raise refused("a delegation of the account (EIP-7702) is signed by a key in a keystore alone")
    fees = envelope.fees
    head = [envelope.chain_id, envelope.nonce, fees.tip, fees.max_fee, envelope.gas_limit]
    return [*head, bytes.fromhex(call.to[2:]), call.value, call.data, []]


def unsigned_bytes(call: Call, envelope: Envelope) -> bytes:
    """Return the bytes whose hash is signed."""
    return ORDINARY + bytes(rlp.encode(fields_of(call, envelope)))


def put_together(call: Call, envelope: Envelope, address: Address, r: int, s: int) -> Signed:
    """Return a transaction with a signature of somebody else: of low s, and the account's own. Raises UnsignedError."""
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise otherwise("the signature is no point of the curve")
    s = min(s, ORDER - s)
    digest = keccak(unsigned_bytes(call, envelope))
    parity = next((v for v in (0, 1) if _account_of(digest, v, r, s) == address), None)
    if parity is None:
        raise otherwise(f"the signature is not that of {address}")
    raw = ORDINARY + bytes(rlp.encode([*fields_of(call, envelope), parity, r, s]))
    return Signed("0x" + raw.hex(), "0x" + keccak(raw).hex())


def confirmed(raw: object, call: Call, envelope: Envelope, address: Address) -> Signed:
    """Return signed bytes that somebody else made, where they are what was asked for. Raises UnsignedError."""
    given = _octets(raw, len(unsigned_bytes(call, envelope)) + SPARE_BYTES)
    if given[:1] != ORDINARY:
        raise otherwise("the answer is no transaction of type 2")
    try:
        parts = rlp.decode(given[1:])
    except (DecodingError, ValueError):
        raise otherwise("the answer cannot be decoded") from None
    if not isinstance(parts, list) or len(parts) != 12 or not all(isinstance(p, bytes) for p in parts[9:]):
        raise otherwise("the answer is no signed transaction")
    parity, r, s = (int.from_bytes(part, "big") for part in parts[9:])
    if s > ORDER // 2 or parity > 1:
        raise otherwise("its signature is not of the one form that Ethereum takes")
    made = put_together(call, envelope, address, r, s)
    if bytes.fromhex(made.raw[2:]) != given:
        raise otherwise("the answer is another transaction than was asked for")
    return made


def _octets(raw: object, most: int) -> bytes:
    if not isinstance(raw, str) or len(raw) > 2 * most + 2 or not raw.startswith("0x"):
        raise otherwise("the answer is no transaction in hexadecimal digits, or far too long")
    try:
        return bytes.fromhex(raw[2:])
    except ValueError:
        raise otherwise("the answer is no transaction in hexadecimal digits") from None


def _account_of(digest: bytes, parity: int, r: int, s: int) -> str | None:
    """Return whose signature it is; None where it is nobody's."""
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except Exception:  # noqa: BLE001 - coincurve raises bare Exceptions where no point is there
        return None
    return account_of_key(key.format(compressed=False))


def account_of_key(point: bytes) -> str:
    """Return the account of a public key: 65 bytes, uncompressed."""
    return str(to_checksum_address(keccak(point[1:])[-20:]))
