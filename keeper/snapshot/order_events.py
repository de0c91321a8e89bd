"""What the logs of perpetual venues say: orders created, what became of them, what a venue did by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.chain import accounts
from keeper.chain.blocks import Blocks
from keeper.core.occurrences import Occurrence
from keeper.venues.ports import Chronicle, OrderOutcome, PerpAccount


@dataclass(frozen=True, slots=True)
class VenueLogs:
    """Asks the node for logs; the account of a position says for which, and what they mean."""

    blocks: Blocks
    perp_account: Callable[[str], PerpAccount]
    chronicle: Callable[[str], Chronicle]
    """What reads the venue's logs about a position, by its name."""

    async def created(self, name: str, hash_: str, *, is_mined: bool = False) -> tuple[str, ...]:
        """Return the keys of the orders that a transaction left with the venue. Raises NodeError.

        Of one that is known to be mined it raises that too as long as no node shows its receipt.
        """
        book = self.perp_account(name).order_book
        return book.created(await accounts.logs_of(self.blocks.node, hash_, is_mined=is_mined)) if book else ()

    async def outcomes(self, name: str, keys: Sequence[str], since: int) -> dict[str, OrderOutcome | None]:
        """Return what became of orders since a block, by key; None while nothing was said. Raises NodeError."""
        book = self.perp_account(name).order_book
        if book is None or not keys:
            return dict.fromkeys(keys)
        logs = await self._logs(since, book.filter(keys))
        return {key: book.outcome(key, logs) for key in keys}

    async def happened(self, name: str, begin: int, end: int) -> tuple[Occurrence, ...]:
        """Return what a venue's events say of a position, first to last block. Raises NodeError."""
        chronicle = self.chronicle(name)
        return chronicle.stated([log for wanted in chronicle.asked() for log in await self.paged(begin, end, wanted)])

    async def paged(self, begin: int, end: int, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """Return every log of a range of blocks. Raises NodeError when some of them cannot be had."""
        return await self.blocks.pages.all(max(0, begin), end, wanted)

    async def carried_out(self, name: str, since: int) -> tuple[str, ...]:
        """Return the keys of orders that made a position smaller since a block. Raises NodeError."""
        book = self.perp_account(name).order_book
        if book is None:
            return ()
        return book.carried_out([log for wanted in book.by_itself() for log in await self._logs(since, wanted)])

    async def _logs(self, since: int, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """Return every log since a block. Raises NodeError when some of them cannot be had: absence proves nothing."""
        return await self.paged(since, (await self.blocks.head()).number, wanted)
