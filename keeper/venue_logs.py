"""What the logs of perpetual venues say: orders created, what became of them, what a venue did by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.chain.blocks import Blocks
from keeper.chain.errors import NodeRefusedError
from keeper.core.occurrences import Occurrence
from keeper.core.units import Address
from keeper.venues import aave_v3_events
from keeper.venues.aave_v3 import Market
from keeper.venues.ports import OrderOutcome, PerpSeat

MOST_PAGES = 256
"""Requests for one range of blocks."""
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

    async def of_account(self, market: Market, owner: Address, begin: int, end: int) -> tuple[Occurrence, ...]:
        """Return what a lending market's events say of an account, first to last block. Raises NodeError."""
        asked = aave_v3_events.account_filters(market, owner)
        logs = [log for wanted in asked for log in await self.paged(begin, end, wanted)]
        return aave_v3_events.occurrences(market, logs)

    async def happened(self, name: str, begin: int, end: int) -> tuple[Occurrence, ...]:
        """Return what a venue's events say of a position, first to last block. Raises NodeError."""
        chronicle = self.seat(name).chronicle
        return chronicle.told([log for wanted in chronicle.asked() for log in await self.paged(begin, end, wanted)])

    async def paged(self, begin: int, end: int, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """Return logs of a range of blocks: in parts where the node refuses so many at once. Raises NodeError."""
        found, at, step = list[dict[str, Any]](), begin, max(1, end - begin + 1)
        for _ in range(MOST_PAGES):
            if at > end:
                return found
            try:
                found += await self._between(at, hex(min(end, at + step - 1)), wanted)
                at += step
            except NodeRefusedError:
                if step == 1:
                    raise
                step = max(1, step // 4)
        return found

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
