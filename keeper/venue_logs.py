"""What the logs of perpetual venues say: orders created, what became of them, what a venue did by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.chain.blocks import Blocks
from keeper.chain.errors import NodeError, NodeRefusedError
from keeper.venues.ports import OrderOutcome, PerpSeat

NARROW = 900
"""Blocks of logs that hardly any node refuses; an order's end is told soon after its beginning."""


@dataclass(frozen=True, slots=True)
class VenueLogs:
    """Asks the node for logs; the seat of a position says for which, and what they mean."""

    blocks: Blocks
    seat: Callable[[str], PerpSeat]

    async def created(self, name: str, hash_: str) -> tuple[str, ...]:
        """Return the keys of the orders that a mined transaction left with the venue. Raises NodeError."""
        book = self.seat(name).order_book
        found = await self.blocks.node.request("eth_getTransactionReceipt", hash_) if book else None
        return book.created(found.get("logs") or ()) if book and isinstance(found, dict) else ()

    async def outcomes(self, name: str, keys: Sequence[str], since: int) -> dict[str, OrderOutcome | None]:
        """Return what became of orders since a block, by key; None while nothing was said. Raises NodeError."""
        book = self.seat(name).order_book
        if book is None or not keys:
            return dict.fromkeys(keys)
        logs = await self._logs(since, book.filter(keys))
        return {key: book.outcome(key, logs) for key in keys}

    async def causes(self, name: str, since: int) -> tuple[str, ...]:
        """Return what a venue did to a position by itself since a block, in words; nothing where it cannot be told."""
        book = self.seat(name).order_book
        if book is None:
            return ()
        try:
            logs = [log for wanted in book.by_itself() for log in await self._logs(since, wanted)]
        except NodeError:
            return ()
        return book.causes(logs)

    async def carried_out(self, name: str, since: int) -> tuple[str, ...]:
        """Return the keys of orders that made a position smaller since a block. Raises NodeError."""
        book = self.seat(name).order_book
        if book is None:
            return ()
        return book.carried_out([log for wanted in book.by_itself() for log in await self._logs(since, wanted)])

    async def _logs(self, since: int, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """Return logs since a block; of the first blocks alone where the node refuses so many."""
        begin = max(0, since)
        try:
            return await self._between(begin, "latest", wanted)
        except NodeRefusedError:
            return await self._between(begin, hex(begin + NARROW), wanted)

    async def _between(self, begin: int, end: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        found = await self.blocks.node.request("eth_getLogs", {"fromBlock": hex(begin), "toBlock": end, **wanted})
        return found if isinstance(found, list) else []
