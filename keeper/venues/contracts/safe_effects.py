"""What a transaction of a Safe does: the gate's own reading of it, apart from ``safe``, which makes it.

Of all that a Safe can be asked for, a keeper asks for calls of others, and for nothing at all. It lends its storage to
``MultiSendCallOnly`` alone. No owner, module, guard or handler changes by it, and nobody is refunded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import address
from keeper.venues.codec.calldata import decoder, refuse, signature
from keeper.venues.codec.hashes import keccak
from keeper.venues.effects import Call, Decoder, Effect, Nested, UsesUp

_MANY = signature("multiSend(bytes)")
NOBODY = "0x0000000000000000000000000000000000000000"
EXECUTED = "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"
EXECUTED_SELECTOR = keccak(text=EXECUTED)[:4]
MOST_CALLS = 200
"""Calls in one transaction of a Safe."""
HEAD = 1 + 20 + 32 + 32

Recover = Callable[[bytes, bytes], Address]
"""Whose signature (65 bytes) of a hash it is. Raises ValueError."""
Hashed = Callable[[bytes, int], bytes]
"""What an owner signs for the calldata of ``execTransaction`` at a nonce."""


@dataclass(frozen=True, slots=True)
class Signing:
    """Whose signatures count for one Safe, and at which of its nonces."""

    owner: Address
    nonces: Collection[int] | None
    """Those that what is judged may use: a signature for any other one is refused. None: past calls are read."""
    hashed: Hashed
    recover: Recover


def safe_decoder(account: Address, multi_send: Address, signing: Signing) -> Decoder:
    """Return what a call of a Safe does: other calls in their order, or only a nonce that is used up."""

    def executed(
        to: Address,
        value: int,
        data: bytes,
        operation: int,
        gas: int,
        base_gas: int,
        price: int,
        gas_token: Address,
        receiver: Address,
        signatures: bytes,
    ) -> tuple[Effect, ...]:
        refuse(bool(gas or base_gas or price), "a refund for gas")
        refuse(gas_token != NOBODY or receiver != NOBODY, "a refund to somebody")
        refuse(value != 0, "native currency of a Safe")
        _check_form(signatures, signing.owner)
        if operation == 1:
            refuse(to != multi_send, f"a call of {to} in the Safe's own storage")
            return tuple(Nested(call) for call in _calls(data))
        refuse(operation != 0, f"operation {operation}")
        if to == account and not data:
            return (UsesUp(account),)
        return (Nested(Call(to, data, Wei(value), "of a Safe")),)

    read = decoder({EXECUTED: executed})

    def decode(call: Call) -> tuple[Effect, ...]:
        found = read(call)
        _check_signature(call.data, signing)
        return found

    return decode


def _calls(data: bytes) -> Iterator[Call]:
    (packed,) = _MANY.read(data)
    at, count = 0, 0
    while at < len(packed):
        head = packed[at : at + HEAD]
        length = int.from_bytes(head[53:HEAD], "big")
        at += HEAD + length
        count += 1
        refuse(len(head) < HEAD or at > len(packed) or count > MOST_CALLS, "calls that are cut short")
        refuse(head[0] != 0, "a call in the Safe's own storage")
        refuse(any(head[21:53]), "native currency of a Safe")
        yield Call(address(head[1:21]), packed[at - length : at], Wei(0), "of a Safe")
    refuse(not count, "a transaction of nothing by many calls")


def _check_form(signatures: bytes, owner: Address) -> None:
    """Raise ValueError unless there is just one signature, in one of the three forms that a keeper has."""
    by_owner = bytes.fromhex(owner[2:]).rjust(32, b"\0")
    is_sender = signatures == by_owner + bytes(32) + b"\x01"
    is_unsealed = signatures == by_owner + (65).to_bytes(32, "big") + b"\0" + bytes(32)
    is_sealed = len(signatures) == 97 and not any(signatures[65:]) and signatures[64] in (27, 28)
    refuse(not (is_sender or is_unsealed or is_sealed), "a signature of that form")


def _check_signature(data: bytes, signing: Signing) -> None:
    """Raise ValueError for a signature of somebody else, or for another nonce of the Safe than may be used."""
    *_, found = signature(EXECUTED).read(data)
    if signing.nonces is None or len(found) != 97 or found[64] not in (27, 28):
        return
    mine = {signing.recover(signing.hashed(data, nonce), found[:65]) for nonce in signing.nonces}
    refuse(signing.owner not in mine, "a signature for another nonce of the Safe, or by somebody else")
