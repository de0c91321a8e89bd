"""A Safe: a contract account that its owners act for. Its calls go out through ``execTransaction``, several at once by
``MultiSendCallOnly``.

Source: safe-global/safe-smart-account 1.3 to 1.5. An owner who sends the transaction himself needs no signature; a call
that comes from anybody else (a lender that calls back) needs one over the Safe's own nonce.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.account import OwnersOfSafe, SafeState
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import address, load
from keeper.venues.codec.hashes import keccak
from keeper.venues.codec.values import encode
from keeper.venues.ports import Answer, Call, Probe

_SAFE = load("safe")
_MANY = load("safe_multi_send")
NOBODY = Address("0x0000000000000000000000000000000000000000")
FIRST_MODULE = Address("0x0000000000000000000000000000000000000001")
GUARD_SLOT = 0x4A204F620C8C5CCDCA3FD54D003BADD85BA500436A431F0CBDA4F558C93C34C8
"""``keccak256("guard_manager.guard.address")``."""
MOST_MODULES = 10
CALL, DELEGATECALL = 0, 1
SIGNATURE, SEALED = 65, 97
"""Bytes of one signature, and of one that was put in the place of what a rehearsal says yes to."""
NO_OP_GAS = 60_000
"""One transaction of nothing of a Safe, from above: measured 41,000 by itself and 36,000 within another."""
_DOMAIN = keccak(text="EIP712Domain(uint256 chainId,address verifyingContract)")
_TRANSACTION = keccak(
    text="SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,"
    "uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)"
)
SAYS_YES = bytes.fromhex("60045f5f3760205ff3")
"""Code that answers any question with the function's own selector: what ERC-1271 takes for yes, in both its forms."""


@dataclass(frozen=True, slots=True)
class Safe:
    """A Safe, and the one of its owners that acts for it here."""

    address: Address
    owner: Address
    multi_send: Address
    """``MultiSendCallOnly``: the only contract that the Safe lends its own storage to."""
    chain_id: int

    @property
    def by_sender(self) -> bytes:
        """What stands for a signature where the owner is who sends the transaction."""
        return _word(self.owner) + bytes(32) + b"\x01"

    @property
    def unsealed(self) -> bytes:
        """What stands for the owner's signature until it is made: in a rehearsal the owner's code says yes to it."""
        return _word(self.owner) + SIGNATURE.to_bytes(32, "big") + b"\0" + bytes(32)


def encode_by_owner(safe: Safe, calls: Sequence[Call], purpose: str) -> Call:
    """Return the one call that makes all, sent by the owner. Without any it only uses up the Safe's next nonce."""
    least = sum(call.least_gas for call in calls)
    return Call(safe.address, _executed(safe, calls, safe.by_sender), Wei(0), purpose, least)


def encode_back(safe: Safe, calls: Sequence[Call]) -> bytes:
    """Return what somebody else calls the Safe back with, not signed yet: ``sealed`` does that."""
    return _executed(safe, calls, safe.unsealed)


def sealed(safe: Safe, data: bytes, signature: bytes) -> bytes:
    """Return a call back with its signature, of the same length. Raises ValueError for what is no such call."""
    to, value, inner, operation, *rest, before = _SAFE.execTransaction.decode_inputs(data)
    if before != safe.unsealed or len(signature) != SIGNATURE:
        raise ValueError("this is nothing that waits for a signature")
    padded = signature + bytes(SEALED - SIGNATURE)
    return _SAFE.execTransaction.encode(to, value, inner, operation, *rest, padded)


def transaction_hash(safe: Safe, data: bytes, nonce: int) -> bytes:
    """Return what an owner signs for a call of ``execTransaction`` at a nonce (EIP-712)."""
    to, value, inner, *numbers, gas_token, receiver, _ = _SAFE.execTransaction.decode_inputs(data)
    kinds = ["bytes32", "address", "uint256", "bytes32", *["uint256"] * 4, "address", "address", "uint256"]
    fields = [_TRANSACTION, to, value, keccak(inner), *numbers, gas_token, receiver, nonce]
    domain = keccak(encode(["bytes32", "uint256", "address"], [_DOMAIN, safe.chain_id, safe.address]))
    return keccak(b"\x19\x01" + domain + keccak(encode(kinds, fields)))


def state_probe(safe: Safe) -> Probe[SafeState | None]:
    """Return the probe of what matters of a Safe at a block; None where there is none at the address."""
    at = safe.address
    reads = (
        _SAFE.nonce.read(at),
        _SAFE.getThreshold.read(at),
        _SAFE.isOwner.read(at, safe.owner),
        _SAFE.getStorageAt.read(at, GUARD_SLOT, 1),
        _SAFE.getModulesPaginated.read(at, FIRST_MODULE, MOST_MODULES),
        _SAFE.VERSION.read(at),
        _SAFE.getOwners.read(at),
    )

    def decode(answers: Sequence[Answer]) -> SafeState | None:
        nonce, threshold, is_owner, guard, modules, version, owners = (
            of.decode_or_none(answer)
            for of, answer in zip(
                (
                    _SAFE.nonce,
                    _SAFE.getThreshold,
                    _SAFE.isOwner,
                    _SAFE.getStorageAt,
                    _SAFE.getModulesPaginated,
                    _SAFE.VERSION,
                    _SAFE.getOwners,
                ),
                answers,
                strict=True,
            )
        )
        if nonce is None or threshold is None or is_owner is None:
            return None
        found = tuple(address(module) for module in modules[0]) if modules else ()
        guarded = address(bytes(guard[0])[-20:]) if guard and len(guard[0]) == 32 else NOBODY
        return SafeState(
            nonce=int(nonce[0]),
            threshold=int(threshold[0]),
            is_owner=bool(is_owner[0]),
            guard=None if guarded == NOBODY else guarded,
            modules=found,
            version=str(version[0])[:16] if version else "",
            owners=len(owners[0]) if owners else None,
        )

    return Probe(reads, decode)


def owned_probe(at: Address) -> Probe[OwnersOfSafe | None]:
    """Return the probe of who owns a Safe; None where there is none at the address."""

    def decode(answers: Sequence[Answer]) -> OwnersOfSafe | None:
        owners, threshold = (_SAFE.getOwners.decode_or_none(answers[0]), _SAFE.getThreshold.decode_or_none(answers[1]))
        if not owners or not owners[0] or threshold is None:
            return None
        return OwnersOfSafe(tuple(address(owner) for owner in owners[0]), int(threshold[0]))

    return Probe((_SAFE.getOwners.read(at), _SAFE.getThreshold.read(at)), decode)


def _executed(safe: Safe, calls: Sequence[Call], signature: bytes) -> bytes:
    to, value, data, operation = safe.address, Wei(0), b"", CALL
    if len(calls) == 1:
        (call,) = calls
        to, value, data = call.to, call.value, call.data
    elif calls:
        to, data, operation = safe.multi_send, _MANY.multiSend.encode(b"".join(map(_packed, calls))), DELEGATECALL
    return _SAFE.execTransaction.encode(to, value, data, operation, 0, 0, 0, NOBODY, NOBODY, signature)


def _packed(call: Call) -> bytes:
    head = bytes([CALL]) + bytes.fromhex(call.to[2:]) + call.value.to_bytes(32, "big")
    return head + len(call.data).to_bytes(32, "big") + call.data


def _word(account: Address) -> bytes:
    return bytes.fromhex(account[2:]).rjust(32, b"\0")
