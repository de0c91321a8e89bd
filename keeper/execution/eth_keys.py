"""The one door to eth_account: importing it raises the recursion limit to 100,000, and here it is put back.

py_ecc does that for pairings nobody asks for here. With it, what Python would stop with RecursionError runs until the
stack ends, and the process with it. It also takes half a second and 15 MiB, so only who opens a key comes in here.
"""

import sys

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction

__all__ = ["RECURSION_LIMIT", "Account", "LocalAccount", "TypedTransaction"]

RECURSION_LIMIT = 1000
"""Python's own."""
sys.setrecursionlimit(RECURSION_LIMIT)
