"""What is handed to nodes for rows on their way: the same bytes, a higher offer, or a cancellation at their nonces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from keeper.chain.errors import NodeError
from keeper.chain.rejections import Refusal
from keeper.core.reasons import Reason
from keeper.core.units import Wei
from keeper.execution.course import Course, Guidance
from keeper.execution.dispatch import Dispatch, Outgoing, fees_of
from keeper.execution.pricing import Demands, NoOffer, Offer
from keeper.execution.unsigned import UnsignedError
from keeper.journal import Transaction
from keeper.venues.ports import Call

Quote = Callable[[Wei | None, Sequence[Transaction], Demands], Awaitable[Offer | NoOffer]]
"""What may be offered for rows now, within a ceiling. Raises NodeError."""
CANCEL_GAS = 60_000
"""A self-transfer, also where the account has delegated its code."""


class Saying:
    """Says what is pending, and keeps what was refused of it."""

    def __init__(self, dispatch: Dispatch, quote: Quote, clock: Callable[[], float]) -> None:
        self._dispatch = dispatch
        self._quote = quote
        self._clock = clock

    async def say(self, course: Course, rows: Sequence[Transaction]) -> None:
        """Hand rows over side by side, the lowest alone where it must be so, and keep what was refused."""
        chosen = [r for r in rows if not course.one_by_one or r.nonce == course.pending[0].nonce]
        for row, heard in zip(
            chosen, await asyncio.gather(*(self._dispatch.broadcast(row) for row in chosen)), strict=True
        ):
            if isinstance(heard, Refusal):
                course.refused[row.nonce] = heard
                course.repeats[row.id, heard.cause] += 1
            else:
                course.refused.pop(row.nonce, None)
                course.taken_once.add(row.nonce)

    async def bid_more(self, course: Course, ceiling: Wei | None) -> None:
        """Offer more for all that is pending; say it again unchanged where the ceiling forbids more."""
        now, offer = self._clock(), await self._higher(course, ceiling)
        if offer is None:
            await self.say(course, course.pending)
            course.state = course.state.capped(now)
            return
        try:
            raised = await self._dispatch.resign_each(course.pending, offer)
        except UnsignedError:  # whoever has to sign does not: what is out there stays as it is
            await self.say(course, course.pending)
            course.state = course.state.capped(now)
            return
        course.rows = tuple(raised.get(row.id, row) for row in course.rows)
        await self.say(course, course.pending)
        course.state = course.state.bumped(offer, now)

    async def cancel(self, course: Course, guidance: Guidance, why: Reason) -> None:
        """Replace all that is pending, at the same nonces, by what does nothing."""
        now, ends = self._clock(), await self._ends(course.pending)
        gas = max((end.gas_limit for end in ends), default=CANCEL_GAS)
        offer = await self._higher(course, guidance.cancel_ceiling, gas=gas) if ends else None
        if offer is None:
            course.state = course.state.capped(now)
            return
        items = [(end, row.nonce, row) for row, end in zip(course.pending, ends, strict=True)]
        try:
            signed = await self._dispatch.sign_each(items, offer)
        except UnsignedError:
            course.state = course.state.capped(now)
            return
        course.dropped = why
        replaced = {row.id: new for row, new in zip(course.pending, signed, strict=True)}
        course.rows = tuple(replaced.get(row.id, row) for row in course.rows)
        course.first_gas |= {row.nonce: row.gas_limit for row in replaced.values()}
        await self.say(course, course.pending)
        course.state = course.state.bumped(offer, now)

    async def _higher(self, course: Course, ceiling: Wei | None, gas: int | None = None) -> Offer | None:
        rows = [row if gas is None else replace(row, gas_limit=gas, value=0) for row in course.pending]
        over = (course.state.fees, *(fees_of(row) for row in course.pending))
        try:
            offer = await self._quote(ceiling, rows, Demands(over=over))
        except NodeError:
            return None
        return None if isinstance(offer, NoOffer) else offer

    async def _ends(self, rows: Sequence[Transaction]) -> tuple[Outgoing, ...]:
        """Return what ends rows, one each; nothing while no node says what that takes."""
        try:
            return await self.endings(rows)
        except NodeError:
            return ()

    async def endings(self, rows: Sequence[Transaction]) -> tuple[Outgoing, ...]:
        """Return what takes rows' nonces and does nothing: the first of them ends all that was signed within any.

        Raises NodeError.
        """
        first, *others = (self.nothing(row) for row in rows)
        call = await self._dispatch.holder.ending(first.call.purpose)
        return (replace(first, call=call, gas_limit=max(CANCEL_GAS, call.least_gas)), *others)

    def nothing(self, row: Transaction) -> Outgoing:
        """Return the transfer of nothing that takes a row's nonce."""
        call = Call(self._dispatch.signer.address, b"", Wei(0), f"cancel: {row.purpose}")
        return Outgoing(call, row.decision_id, row.step, 0, CANCEL_GAS)
