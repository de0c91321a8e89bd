"""What the owner asks of pending transactions with ``keeper tx``: left in the journal, taken by the running keeper."""

from __future__ import annotations

from typing import Any

from keeper.journal import Journal, Transaction
from keeper.journal.ports import FactStore


class Wishes:
    """What is asked of one signer's transactions."""

    def __init__(self, journal: Journal, chain_id: int, signer: str) -> None:
        self._journal = journal
        self._key = wish_key(chain_id, signer)

    async def take(self, pending: tuple[Transaction, ...]) -> dict[int, str]:
        """Return, and take off the list, what the owner asked of pending transactions."""
        asked = await self._journal.facts.get(self._key)
        if not asked:
            return {}
        mine = {row.id: asked[str(row.id)] for row in pending if str(row.id) in asked}
        if mine:  # those that were asked since stay on it, and what is not pending any more does not
            known = set(asked)

            def turn(there: dict[str, Any]) -> dict[str, Any]:
                return {self._key: {k: v for k, v in (there[self._key] or {}).items() if k not in known} or None}

            await self._journal.facts.change([self._key], turn)
        return mine


async def wish(facts: FactStore, chain_id: int, signer: str, id_: int, what: str) -> None:
    """Ask it of a transaction, beside whatever else is asked. Raises JournalError."""
    key = wish_key(chain_id, signer)
    await facts.change([key], lambda there: {key: {**(there[key] or {}), str(id_): what}})


def wish_key(chain_id: int, signer: str) -> str:
    """Return where ``keeper tx`` leaves what the owner asks of a running keeper."""
    return f"tx-wishes:{chain_id}:{signer}"
