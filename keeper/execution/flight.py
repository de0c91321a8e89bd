"""Transactions of one burst on their way: followed together until the last is mined, cancelled or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeError
from keeper.chain.fees import Fees, replacement
from keeper.core.positions import BlockRef
from keeper.core.reasons import Reason
from keeper.core.units import Wei
from keeper.execution.dispatch import EARLIER_LANDED, SPENT_ELSEWHERE, Dispatch, Outgoing, fees_of
from keeper.execution.redecision import Change, Drop, Keep
from keeper.execution.send_state import Move, SendState, Timings
from keeper.execution.tx_state import TxState
from keeper.journal import Entry, Transaction
from keeper.venues.ports import Call

Reconsider = Callable[[bool], Awaitable[Keep | Drop | Change]]
"""Asks what would be decided now; told whether a transaction of the burst is mined already."""
Market = Callable[[Wei | None], Awaitable[Fees | None]]
"""What the fee market asks for now, within a ceiling."""
NOTHING = Wei(0)
CANCEL_GAS = 60_000
"""A self-transfer, also where the account has delegated its code."""


class SendFailedError(Exception):
    """A burst did not do what it was sent for. Nothing after it in the plan was sent."""

    def __init__(self, reason: Reason, detail: str, reverted: tuple[Transaction, Receipt] | None = None) -> None:
        super().__init__(f"{reason.short}: {detail}")
        self.reason = reason
        self.detail = detail
        self.reverted = reverted
        """The first transaction that reverted, where one did."""


class PlanChangedError(Exception):
    """The burst is still pending, but another plan would be right now: replace it at the same nonces."""

    def __init__(self, pending: tuple[Transaction, ...]) -> None:
        super().__init__(f"{len(pending)} pending transactions belong to a plan that is no longer right")
        self.pending = pending


@dataclass(frozen=True, slots=True)
class Guidance:
    """What a flight may do on its own: how much to offer, and whom to ask before offering more."""

    ceiling: Wei | None
    cancel_ceiling: Wei | None
    reconsider: Reconsider | None = None
    give_up_s: float | None = None
    """Seconds to stay with it, where that is not what the timings say."""
    decided_at: BlockRef | None = None
    """The block the plan was made for: it is refused when the signer's nonce moved on since."""
    entry: Entry | None = None
    """The decision, when it is to be written in one commit with the first signed bytes."""
    balance: Wei = NOTHING
    """The signer's native currency at ``decided_at``."""
    continues: bool = False
    """Whether a burst of the same plan came before: what a reorg took of it is waited for, not replaced."""


@dataclass(slots=True)
class Course:
    """How far a flight has come."""

    rows: tuple[Transaction, ...]
    state: SendState
    receipts: dict[int, Receipt] = field(default_factory=dict)
    used_since: dict[int, float] = field(default_factory=dict)
    dropped: Reason | None = None
    taken: Transaction | None = None
    """The first row whose nonce another program used."""
    is_mixed: bool = False
    """Whether an earlier plan's intent landed in the place of a row: the others were not meant to come after it."""

    @property
    def pending(self) -> tuple[Transaction, ...]:
        """The rows that may still land, by nonce."""
        return tuple(sorted((r for r in self.rows if TxState(r.state).is_open), key=lambda r: r.nonce))

    def take_back(self, rows: Sequence[Transaction]) -> None:
        """Follow again what a reorg took, also of an earlier burst: what is pending waits for it."""
        for row in rows:
            self.receipts.pop(row.nonce, None)
        ids = {row.id for row in rows}
        self.rows = (*(row for row in self.rows if row.id not in ids), *rows)

    def landed(self, asked: Sequence[Transaction]) -> tuple[Receipt, ...]:
        """Return the receipts of ``asked``, or raise what went wrong with the first that did not succeed."""
        if self.taken:
            raise SendFailedError(Reason.NONCE_TAKEN, f"{self.taken.purpose}, nonce {self.taken.nonce}")
        if self.dropped:
            raise SendFailedError(self.dropped, f"{self.rows[0].purpose}, nonce {self.rows[0].nonce}")
        for row in self.rows:
            receipt = self.receipts.get(row.nonce)
            if receipt is None:
                raise SendFailedError(Reason.SUPERSEDED, f"{row.purpose}, nonce {row.nonce}: {row.error}")
            if not receipt.succeeded:
                raise SendFailedError(Reason.REVERTED, f"{row.purpose} ({receipt.hash})", (row, receipt))
        return tuple(self.receipts[row.nonce] for row in asked)


class Flight:
    """Follows rows at consecutive nonces."""

    def __init__(
        self,
        dispatch: Dispatch,
        market: Market,
        timings: Timings,
        poll_s: float,
        clock: Callable[[], float],
        wishes: Callable[[tuple[Transaction, ...]], Awaitable[dict[int, str]]],
    ) -> None:
        self._dispatch = dispatch
        self._market = market
        self._timings = timings
        self._poll_s = poll_s
        self._clock = clock
        self._wishes = wishes

    async def follow(self, rows: tuple[Transaction, ...], guidance: Guidance) -> tuple[Receipt, ...]:
        """Return the receipts, by nonce, once every row is mined with success.

        All are followed to their end before the first that did not succeed raises SendFailedError. Raises
        PlanChangedError with what is pending when the plan should be another; SendFailedError (NOT_MINED) when
        something is still pending after the time for it, (NO_LONGER_NEEDED) after a cancellation.
        """
        course, timings = Course(rows, SendState.begun(fees_of(rows[0]), self._clock())), self._timings
        if guidance.give_up_s is not None:
            timings = replace(timings, give_up_s=guidance.give_up_s)
        while True:
            await self._look(course)
            if not course.pending:
                return course.landed(rows)
            if course.is_mixed and course.dropped is None:
                await self._cancel(course, guidance, Reason.SUPERSEDED)
            await self._grant_wishes(course, guidance)
            match course.state.next_move(self._clock(), timings):
                case Move.WAIT:
                    await asyncio.sleep(self._poll_s)
                case Move.REBROADCAST:
                    await self._say_again(course)
                    course.state = course.state.said(self._clock())
                case Move.BUMP:
                    await self._second_look(course, guidance)
                case Move.GIVE_UP:
                    first = course.pending[0]
                    raise SendFailedError(Reason.NOT_MINED, f"{first.purpose}, nonce {first.nonce}: still pending")

    # --- looking -----------------------------------------------------------------------------------------------------

    async def _look(self, course: Course) -> None:
        """Settle what is mined. A node that does not answer has not said that something is not."""
        try:
            mined = await self._dispatch.mined_nonce()
            if mined < course.pending[0].nonce:
                course.take_back(await self._dispatch.reopen(mined, below=course.pending[0].nonce))
            course.rows = tuple(
                [await self._seen(r, mined, course) if TxState(r.state).is_open else r for r in course.rows]
            )
        except NodeError:
            return

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
            # the receipt may lag behind the nonce: another program is blamed only after a while without one
            since = course.used_since.setdefault(row.nonce, self._clock())
            if self._clock() - since >= self._timings.receipt_lag_s:
                await self._dispatch.settle(seen, TxState.EXPIRED, error=SPENT_ELSEWHERE)
                course.taken = course.taken or row
                return replace(seen, state="expired")
        return seen

    # --- changing ----------------------------------------------------------------------------------------------------

    async def _second_look(self, course: Course, guidance: Guidance) -> None:
        """Ask what would be decided now, before more is offered. Raises PlanChangedError."""
        asked = await self._ask(guidance, has_begun=bool(course.receipts), is_dropped=course.dropped is not None)
        match asked:
            case Change():
                raise PlanChangedError(course.pending)
            case Drop():
                await self._cancel(course, guidance, Reason.NO_LONGER_NEEDED)
            case Keep(ceiling):
                await self._bid_more(course, ceiling)

    async def _ask(self, guidance: Guidance, *, has_begun: bool, is_dropped: bool) -> Keep | Drop | Change:
        if is_dropped:
            return Keep(guidance.cancel_ceiling)
        if guidance.reconsider is None:
            return Keep(guidance.ceiling)
        try:
            return await guidance.reconsider(has_begun)
        except NodeError:
            return Keep(guidance.ceiling)

    async def _bid_more(self, course: Course, ceiling: Wei | None) -> None:
        """Offer more for all that is pending; say it again unchanged where the ceiling forbids more."""
        now, fees = self._clock(), await self._higher(course.state.fees, ceiling)
        if fees is None:
            await self._say_again(course)
            course.state = course.state.capped(now)
            return
        raised = {row.id: await self._dispatch.bid_more(row, fees) for row in course.pending}
        course.rows = tuple(raised.get(row.id, row) for row in course.rows)
        course.state = course.state.bumped(fees, now)

    async def _cancel(self, course: Course, guidance: Guidance, why: Reason) -> None:
        """Replace all that is pending by transfers of nothing to oneself at the same nonces."""
        now, fees = self._clock(), await self._higher(course.state.fees, guidance.cancel_ceiling)
        if fees is None:
            course.state = course.state.capped(now)
            return
        course.dropped = why
        replaced = {r.id: await self._dispatch.sign(self.nothing(r), r.nonce, fees, r) for r in course.pending}
        for row in replaced.values():
            await self._dispatch.broadcast(row)
        course.rows = tuple(replaced.get(row.id, row) for row in course.rows)
        course.state = course.state.bumped(fees, now)

    async def _say_again(self, course: Course) -> None:
        for row in course.pending:
            await self._dispatch.broadcast(row)

    async def _higher(self, old: Fees, ceiling: Wei | None) -> Fees | None:
        try:
            fresh = await self._market(ceiling)
        except NodeError:
            return None
        return replacement(old, fresh, ceiling) if fresh else None

    def nothing(self, row: Transaction) -> Outgoing:
        """Return the transfer of nothing that takes a row's nonce."""
        call = Call(self._dispatch.signer.address, b"", Wei(0), f"cancel: {row.purpose}")
        return Outgoing(call, row.decision_id, row.step, 0, CANCEL_GAS)

    async def _grant_wishes(self, course: Course, guidance: Guidance) -> None:
        """Do what the owner asked for by hand: the whole burst is sped up or cancelled, its parts need one another."""
        wishes = await self._wishes(course.pending)
        if "cancel" in wishes.values():
            await self._cancel(course, guidance, Reason.CANCELLED)
        elif wishes:
            await self._bid_more(course, guidance.cancel_ceiling)
