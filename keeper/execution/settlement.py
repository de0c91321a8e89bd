"""When a mined plan is done: at once, or once a venue's keepers have carried its orders out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeError
from keeper.core.reasons import Reason
from keeper.venues import ports
from keeper.venues.ports import OrderOutcome, Settles

Logs = Callable[[str, tuple[str, ...], int], Awaitable[dict[str, OrderOutcome | None]]]
"""Return what the venue's logs say of orders (position, keys, from which block): None while nothing is said."""
Keep = Callable[[str, tuple[str, ...], int, int, bool], Awaitable[None]]
"""Remembers orders of a position: their keys, the decision, the block, whether they rest."""
Created = Callable[[str, str], Awaitable[tuple[str, ...]]]
"""Return the keys of the orders that a mined transaction (position, hash) left with the venue."""
CarriedOut = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""Return the keys of orders, whoever placed them, that made a position smaller since a block."""
LOOKS = 5
"""Times a node is asked before what it does not show is believed not to be there."""


@dataclass(frozen=True, slots=True)
class Unfilled:
    """Orders that were not carried out: how many came to nothing, and which still wait."""

    reason: Reason
    detail: str
    keys: tuple[str, ...]
    waiting: tuple[str, ...]
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Immediate:
    """What was mined is done."""

    waiting: tuple[str, ...] = ()

    async def settled(self, receipts: Sequence[Receipt], decision_id: int, *, rests: bool) -> Unfilled | None:
        """Return None: there is nothing to wait for."""
        del receipts, decision_id, rests
        return None


@dataclass(frozen=True, slots=True)
class OrderWatch:
    """What is known and remembered of orders at venues whose keepers carry them out later."""

    created: Created
    keep: Keep
    outcomes: Logs
    patience_s: float
    """How long an order that waits for the venue's keepers is followed before the plan ends without it."""
    poll_s: float
    carried_out: CarriedOut | None = None


@dataclass(slots=True)
class Awaited:
    """What was mined left orders, which the venue's keepers fill, refuse or let lie."""

    name: str
    desk: OrderWatch
    is_wanted: Callable[[], bool]
    """Says whether another plan waits for the signer: then an order that waits is left to be looked after later."""
    waiting: tuple[str, ...] = field(default=())

    async def settled(self, receipts: Sequence[Receipt], decision_id: int, *, rests: bool) -> Unfilled | None:
        """Remember the orders of a burst, then follow those that are to be filled; None when all were executed.

        Raises NodeError, JournalError.
        """
        keys = await self._made(receipts, is_expected=not rests)
        if keys:
            await self.desk.keep(self.name, keys, decision_id, receipts[0].block_number, rests)
        self.waiting = () if rests else keys
        unfilled = await self._follow(self.waiting, receipts[0].block_number)
        self.waiting = () if unfilled is None else self.waiting
        return unfilled

    async def done_by_others(self, unfilled: Unfilled, since: int) -> tuple[str, ...]:
        """Return the other orders of the account that did something meanwhile. Raises NodeError."""
        if self.desk.carried_out is None or unfilled.reason is not Reason.ORDER_FAILED or unfilled.waiting:
            return ()
        return tuple(sorted(set(await self.desk.carried_out(self.name, since)) - set(unfilled.keys)))

    async def _made(self, receipts: Sequence[Receipt], *, is_expected: bool) -> tuple[str, ...]:
        """Return the keys of the orders that mined transactions created, of every one of them.

        A node that lags or is away is asked again. Raises NodeError.
        """
        for left in reversed(range(LOOKS)):
            try:
                made = [await self.desk.created(self.name, receipt.hash) for receipt in receipts]
            except NodeError:
                if not left:
                    raise
            else:
                keys = tuple(key for found in made for key in found)
                if keys or not (is_expected and left):
                    return keys
            await asyncio.sleep(self.desk.poll_s)
        return ()

    async def _follow(self, keys: tuple[str, ...], begun: int) -> Unfilled | None:
        """Follow orders until the venue says what became of them; None when all were executed.

        A node that is away says nothing: the orders stay with the venue, and are asked for again while patience lasts.
        """
        waited, every = 0.0, keys
        while keys:
            try:
                found = await self.desk.outcomes(self.name, keys, begun)
            except NodeError:
                found = {}
            bad = {k: o for k, o in found.items() if o is not None and o.kind != "executed"}
            keys = tuple(k for k in keys if found.get(k) is None)
            if bad:
                detail = "; ".join(f"order {k[:10]} {o.kind}: {o.detail}" for k, o in bad.items())
                return Unfilled(Reason.ORDER_FAILED, detail, every, keys, len(bad))
            wanted = self.is_wanted()
            if keys and (wanted or waited >= self.desk.patience_s):
                why = ", and the signer is wanted" if wanted else ""
                return Unfilled(Reason.ORDER_LATE, f"{len(keys)} not executed after {waited:.0f} s{why}", every, keys)
            if keys:
                await asyncio.sleep(self.desk.poll_s)
                waited += self.desk.poll_s
        return None


Settlement = Immediate | Awaited


def settlement_of(settles: Settles, name: str, orders: OrderWatch, is_wanted: Callable[[], bool]) -> Settlement:
    """Return how a plan about a position is seen through, by when its venue does what it is asked."""
    match settles:
        case ports.AtOnce():
            return Immediate()
        case ports.ByKeepers():
            return Awaited(name, orders, is_wanted)
        case _:
            assert_never(settles)
