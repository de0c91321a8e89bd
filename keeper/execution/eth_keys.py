"""The one door to eth_account: importing it raises the recursion limit to 100,000, and here it is put back.

py_ecc does that for pairings nobody asks for here. With it, what Python would stop with RecursionError runs until the
stack ends, and the process with it. It also takes half a second and 15 MiB, so only who opens a key comes in here.
"""

import sys
from collections.abc import Sequence
from typing import Any

import rlp
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_typing import Hash32
from hexbytes import HexBytes

__all__ = ["RECURSION_LIMIT", "Account", "Hash32", "LocalAccount", "laid_out", "read"]

RECURSION_LIMIT = 1000
"""Python's own."""
sys.setrecursionlimit(RECURSION_LIMIT)


def laid_out(fields: Sequence[Any]) -> bytes:
    """Return the bytes of a transaction's fields (RLP)."""
    return rlp.encode(fields)  # type: ignore[no-any-return]


def read(raw: bytes) -> dict[str, Any]:
    """Return the fields of a signed transaction that has a type."""
    return TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
