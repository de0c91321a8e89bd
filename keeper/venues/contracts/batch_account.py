"""A batch account an owner may delegate to (EIP-7702): several calls in one transaction, all or none.

Spoken to as ``Simple7702Account`` of eth-infinitism's account-abstraction v0.8: ``executeBatch`` may be called by the
account itself only.
"""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import address, failed_at, load
from keeper.venues.ports import Call

_ACCOUNT = load("simple_7702_account")
_DELEGATED = bytes.fromhex("ef0100")


def encode_batch(account: Address, calls: Sequence[Call], purpose: str) -> Call:
    """Return the one call that makes all of them, from the account to itself."""
    data = _ACCOUNT.executeBatch.encode([(c.to, c.value, c.data) for c in calls])
    return Call(account, data, Wei(0), purpose)


def call_that_failed(data: bytes, error: bytes) -> bytes | None:
    """Return the calldata of the call of a batch that an error is about; None where neither is of a batch."""
    at = failed_at(error)
    try:
        (calls,) = _ACCOUNT.executeBatch.decode_inputs(data)
    except ValueError:
        return None
    return None if at is None or at >= len(calls) else bytes(calls[at][2])


def delegated_code(account_contract: Address) -> bytes:
    """Return the code an account has once it delegates."""
    return _DELEGATED + bytes.fromhex(account_contract[2:])


def delegate_of(code: bytes) -> Address | None:
    """Return whom an account's code delegates to; None for a plain account or a contract of its own."""
    return address(code[3:]) if len(code) == 23 and code.startswith(_DELEGATED) else None
