"""Transactions of one burst on their way: followed together until the last is mined, cancelled or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from keeper.chain.accounts import Receipt
from keeper.core.reasons import Reason
from keeper.execution import answers
from keeper.execution.answering import Answering
from keeper.execution.asking_again import AskingAgain
from keeper.execution.course import Course, Guidance, SendFailedError
from keeper.execution.dispatch import Dispatch, Outgoing, fees_of
from keeper.execution.lookout import Lookout
from keeper.execution.recheck import Keep, Unsure
from keeper.execution.saying import Quote, Saying
from keeper.execution.send_state import Move, SendState, Timings
from keeper.journal import Transaction


class Flight:
    """Follows rows at consecutive nonces: looks, answers refusals, says again, offers more, and gives up in time."""

    def __init__(
        self,
        dispatch: Dispatch,
        quote: Quote,
        timings: Timings,
        poll_s: float,
        clock: Callable[[], float],
        wishes: Callable[[tuple[Transaction, ...]], Awaitable[dict[int, str]]],
    ) -> None:
        self._timings = timings
        self._poll_s = poll_s
        self._clock = clock
        self._wishes = wishes
        self._voice = Saying(dispatch, quote, self._now)
        self._lookout = Lookout(dispatch, self._voice, timings, self._now)
        self._second = AskingAgain(self._voice, self._now)
        self._answering = Answering(dispatch, quote, self._voice, self._lookout, self._second, self._now)
        self.news = asyncio.Event()
        """Set when a block came: what is under way looks at once."""
        self.is_pausing = False

    @property
    def met_one_by_one(self) -> bool:
        """Whether a node refused a second transaction of this account: it is delegated."""
        return self._answering.met_one_by_one

    def nothing(self, row: Transaction) -> Outgoing:
        """Return the transfer of nothing that takes a row's nonce."""
        return self._voice.nothing(row)

    async def endings(self, rows: Sequence[Transaction]) -> tuple[Outgoing, ...]:
        """Return what ends rows, one each. Raises NodeError."""
        return await self._voice.endings(rows)

    def _now(self) -> float:
        return self._clock()

    async def fly(self, rows: tuple[Transaction, ...], guidance: Guidance) -> tuple[Receipt, ...]:
        """Hand rows over side by side, so that a burst reaches one block, and follow them. Raises as ``follow``."""
        course = self._course(rows, guidance)
        await self._voice.say(course, course.pending)
        return await self._follow(course, rows, guidance)

    async def follow(self, rows: tuple[Transaction, ...], guidance: Guidance) -> tuple[Receipt, ...]:
        """Return the receipts, by nonce, once every row is mined with success.

        All are followed to their end before the first that did not succeed raises SendFailedError. Raises
        PlanChangedError with what is pending when the plan should be another; SendFailedError (NOT_MINED) when
        something is still pending after the time for it, (RECEIPT_MISSING) when its nonce is used and nobody shows by
        what, (NO_LONGER_NEEDED) after a cancellation, and with a reason of its own when nodes refuse the bytes and no
        step is left.
        """
        return await self._follow(self._course(rows, guidance), rows, guidance)

    def _course(self, rows: tuple[Transaction, ...], guidance: Guidance) -> Course:
        now = self._clock()
        course = Course(rows, SendState.begun(fees_of(rows[0]), now), looked_at=now, ceiling=guidance.ceiling)
        course.first_gas = {row.nonce: row.gas_limit for row in rows}
        course.taken_once = {row.nonce for row in rows if any(a.broadcast_at for a in row.attempts)}
        course.one_by_one = guidance.one_by_one
        return course

    async def _follow(self, course: Course, rows: tuple[Transaction, ...], guidance: Guidance) -> tuple[Receipt, ...]:
        timings = self._timings
        if guidance.give_up_s is not None:
            timings = replace(timings, give_up_s=guidance.give_up_s)
        while True:
            await self._lookout.look(course)
            if not course.pending:
                return course.landed(rows)
            if course.is_mixed and course.dropped is None:
                await self._voice.cancel(course, guidance, Reason.SUPERSEDED)
            await self._grant_wishes(course, guidance)
            if course.refused and await self._answering.answer(course, guidance):
                continue
            await self._go_on(course, guidance, course.state.next_move(self._clock(), timings))

    async def _go_on(self, course: Course, guidance: Guidance, move: Move) -> None:
        """Do what is due."""
        match move:
            case Move.GIVE_UP:
                await self._give_up(course)
            case Move.REBROADCAST if not course.is_used_up:
                await self._voice.say(course, course.pending)
                course.state = course.state.said(self._clock())
            case Move.BUMP if not course.is_used_up:
                await self._second_look(course, guidance)
            case _:
                await self._pause()

    async def _pause(self) -> None:
        """Wait until it is time to look again, or until somebody says that a block came."""
        waits = {asyncio.ensure_future(asyncio.sleep(self._poll_s)), asyncio.ensure_future(self.news.wait())}
        self.is_pausing = True
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.is_pausing = False
            self.news.clear()
            for wait in waits:
                wait.cancel()

    async def _give_up(self, course: Course) -> None:
        """End a flight that took too long, with what is known by then. Raises SendFailedError."""
        for row in course.pending:
            if row.nonce in course.used_since:
                await self._lookout.unseen(row, course)
        first = course.unseen or course.pending[0]
        reason = Reason.RECEIPT_MISSING if course.unseen else Reason.NOT_MINED
        words = "" if course.unseen else ": still pending"
        refusal = course.refused.get(first.nonce)
        if refusal is not None and first.nonce not in course.taken_once and not course.unseen:
            reason, words = answers.reason_of(refusal.cause), f": {refusal.text}"
        raise SendFailedError(reason, f"{first.purpose}, nonce {first.nonce}{words}")

    async def _second_look(self, course: Course, guidance: Guidance) -> None:
        """Offer more, if the plan is still right; say it again where nobody can confirm it. Raises PlanChangedError."""
        match await self._second.recheck(course, guidance):
            case Keep():
                await self._voice.bid_more(
                    course, course.ceiling if course.dropped is None else guidance.cancel_ceiling
                )
            case Unsure():
                await self._hold_still(course)

    async def _hold_still(self, course: Course) -> None:
        """Say what is pending again in its time, and look anew with the next block: no more is offered meanwhile."""
        now = self._clock()
        if now - course.state.said_at >= self._timings.rebroadcast_s:
            await self._voice.say(course, course.pending)
            course.state = course.state.said(now)
        await self._pause()

    async def _grant_wishes(self, course: Course, guidance: Guidance) -> None:
        """Do what the owner asked for by hand: the whole burst is sped up or cancelled, its parts need one another."""
        wishes = await self._wishes(course.pending)
        if "cancel" in wishes.values():
            await self._voice.cancel(course, guidance, Reason.CANCELLED)
        elif wishes:
            await self._voice.bid_more(course, guidance.cancel_ceiling)
