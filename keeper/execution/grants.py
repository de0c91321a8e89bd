"""Delegations signed and never used (EIP-7702): an authorization is good for whoever has seen it, until its nonce goes.

A batch that delegates carries one for the nonce after its own. Where another transaction took the batch's nonce, the
authorization stays: a stranger may put it into a transaction of theirs, and the account is delegated when the owner
thinks it was called off. One transfer of nothing at that nonce ends it.
"""

from __future__ import annotations

from collections.abc import Iterable

from keeper.execution.signer import delegate_in
from keeper.journal import Transaction


def unused(before: Iterable[Transaction]) -> Transaction | None:
    """Return what was signed with an authorization for the account's next nonce, None when nothing was.

    ``before`` is all that was ever signed at the nonce before the next one. The batch itself cannot be what landed
    there: its authorization would have moved the account's nonce on by another one.
    """
    return next((row for row in before if any(delegate_in(a.raw) for a in row.attempts)), None)
