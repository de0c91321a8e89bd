"""What became of rows on their way: what is mined, by what their nonces were used, and what can never land."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from keeper.chain.errors import NodeError
from keeper.core.reasons import Reason
from keeper.execution.course import Course, SendFailedError
from keeper.execution.dispatch import EARLIER_LANDED, SPENT_ELSEWHERE, STRANDED, Dispatch
from keeper.execution.saying import Saying
from keeper.execution.send_state import Timings
from keeper.execution.traces import Foreign, InPool, Ours
from keeper.execution.tx_state import TxState
from keeper.journal import Transaction


class Lookout:
    """Looks at rows at consecutive nonces, and writes down what it sees."""

    def __init__(self, dispatch: Dispatch, voice: Saying, timings: Timings, clock: Callable[[], float]) -> None:
        self._dispatch = dispatch
        self._voice = voice
        self._timings = timings
        self._clock = clock

    async def look(self, course: Course) -> None:
        """Settle what is mined. A node that does not answer has not said that something is not."""
        before = len(course.pending)
        if not before:
            return
        try:
            mined = await self._dispatch.mined_nonce()
            if mined < course.pending[0].nonce:
                course.take_back(await self._dispatch.reopen(mined, below=course.pending[0].nonce))
            course.rows = tuple(
                [await self._seen(r, mined, course) if TxState(r.state).is_open else r for r in course.rows]
            )
        except NodeError:
            return
        if course.pending:
            await self._mind_the_gap(course, mined)
            if course.one_by_one and len(course.pending) < before:
                await self._voice.say(course, course.pending)

    async def _seen(self, row: Transaction, mined: int, course: Course) -> Transaction:
        if row.nonce >= mined:
            course.used_since.pop(row.nonce, None)
            return row
        seen, receipt = await self._dispatch.look(row)
        if receipt:
            course.receipts[row.nonce] = receipt
        elif seen.error == EARLIER_LANDED:
            course.is_mixed = True
        elif TxState(seen.state).is_open:
            # a receipt may lag behind the nonce, for long: another program is blamed only on the word of a block
            since = course.used_since.setdefault(row.nonce, self._clock())
            if self._clock() - since >= self._timings.receipt_lag_s:
                return await self.traced(seen, course)
        return seen

    async def traced(self, row: Transaction, course: Course, *, was_refused: bool = False) -> Transaction:
        """Find out by what a nonce was used, now and then; write it down where a block shows that it was not by us.

        Where nothing is shown, and the bytes ``was_refused`` as too late from the first, nobody waits for them.
        """
        now = self._clock()
        if now - course.traced_at.get(row.nonce, float("-inf")) < self._timings.receipt_lag_s:
            return row
        course.traced_at[row.nonce] = now
        match await self._dispatch.trace(row):
            case Foreign(hash_):
                await self._dispatch.settle(row, TxState.EXPIRED, error=f"{SPENT_ELSEWHERE} ({hash_})")
                self._dispatch.nonces.trust(row.nonce + 1)
                course.taken = course.taken or row
                return replace(row, state="expired")
            case InPool():
                course.used_since.pop(row.nonce, None)  # whoever says that the nonce is used is wrong, or ahead
            case Ours():
                course.taken_once.add(row.nonce)
            case _ if was_refused and row.nonce not in course.taken_once:
                return await self.unseen(row, course)
        return row

    async def unseen(self, row: Transaction, course: Course) -> Transaction:
        """Write down that a nonce is used, by what nobody has shown: it is looked for, and counts as spent."""
        await self._dispatch.settle(row, TxState.UNSEEN, error=Reason.RECEIPT_MISSING.short)
        course.unseen = course.unseen or row
        return replace(row, state="unseen")

    async def _mind_the_gap(self, course: Course, mined: int) -> None:
        """Give up rows that cannot land: below them a nonce is free that nothing of ours is at, and stays so.

        The nonce they were signed for was given too high. Raises SendFailedError (STALE_STATE).
        """
        lowest, now = course.pending[0].nonce, self._clock()
        if mined >= lowest or await self._dispatch.is_covered(range(mined, lowest)):
            course.gap_since = None
            return
        course.gap_since = now if course.gap_since is None else course.gap_since
        if now - course.gap_since < 2 * self._timings.rebroadcast_s:
            return
        for row in course.pending:
            await self._dispatch.settle(row, TxState.EXPIRED, error=STRANDED)
        raise SendFailedError(Reason.STALE_STATE, f"nonce {lowest} was given, {mined} is next")
