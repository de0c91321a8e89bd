"""What the owner asks of pending transactions with ``keeper tx``: left in the journal, taken by the running keeper."""

from __future__ import annotations

from keeper.journal import Journal, Transaction


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
        if mine:
            await self._journal.facts.set(self._key, None)
        return mine


def wish_key(chain_id: int, signer: str) -> str:
    """Return where ``keeper tx`` leaves what the owner asks of a running keeper."""
    return f"tx-wishes:{chain_id}:{signer}"
