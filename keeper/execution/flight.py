"""Transactions of one burst on their way: followed together until the last is mined, cancelled or given up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeError
from keeper.chain.fees import Fees
from keeper.chain.rejections import Cause, Refusal
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Wei
from keeper.execution import answers
from keeper.execution.answers import LookAgain, MoreGas, OfferLess, OfferMore, OneByOne, RefusedBytes, Stop, Wait
from keeper.execution.dispatch import EARLIER_LANDED, SPENT_ELSEWHERE, STRANDED, Dispatch, Outgoing, fees_of
from keeper.execution.pricing import Demands, NoOffer, Offer
from keeper.execution.recheck import Change, Drop, Keep, Unsure, Verdict
from keeper.execution.send_state import Move, SendState, Timings
from keeper.execution.traces import Foreign, InPool, Ours
from keeper.execution.tx_state import TxState
from keeper.journal import Entry, Transaction
from keeper.venues.ports import Call

Reconsider = Callable[[bool], Awaitable[Verdict]]
"""Asks what would be decided now; given whether a transaction of the burst is mined already."""
Quote = Callable[[Wei | None, Sequence[Transaction], Demands], Awaitable[Offer | NoOffer]]
"""What may be offered for rows now, within a ceiling. Raises NodeError."""
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
    one_by_one: bool = False
    """Whether only the lowest pending nonce is handed over: a delegated account may have one in a node's pool."""


LOOK_HOLDS_S = 2.0
"""How long a look at the position is good for: a later higher offer, whoever asks for it, takes another."""


@dataclass(slots=True)
class Course:
    """How far a flight has come."""

    rows: tuple[Transaction, ...]
    state: SendState
    receipts: dict[int, Receipt] = field(default_factory=dict)
    used_since: dict[int, float] = field(default_factory=dict)
    """Since when a nonce counts as used although nothing was seen there."""
    traced_at: dict[int, float] = field(default_factory=dict)
    gap_since: float | None = None
    """Since when a nonce below the lowest is free, with nothing of ours at it."""
    refused: dict[int, Refusal] = field(default_factory=dict)
    """By nonce, what was last said of the newest bytes, where they were refused."""
    repeats: Counter[tuple[int, Cause]] = field(default_factory=Counter)
    """How often a row was refused for a cause."""
    first_gas: dict[int, int] = field(default_factory=dict)
    taken_once: set[int] = field(default_factory=set)
    """Nonces of which some node has, or may have, bytes."""
    answered: int = 0
    looked_at: float = 0.0
    """When the plan was last found right."""
    ceiling: Wei | None = None
    one_by_one: bool = False
    dropped: Reason | None = None
    taken: Transaction | None = None
    """The first row whose nonce another program used."""
    unseen: Transaction | None = None
    """The first row whose nonce is used, by what nobody has shown."""
    is_mixed: bool = False
    """Whether an earlier plan's intent landed in the place of a row: the others were not meant to come after it."""

    @property
    def pending(self) -> tuple[Transaction, ...]:
        """The rows that may still land, by nonce."""
        return tuple(sorted((r for r in self.rows if TxState(r.state).is_open), key=lambda r: r.nonce))

    @property
    def is_used_up(self) -> bool:
        """Whether the nonces of all that is pending count as used: there is nothing left to say or to bid for."""
        return all(row.nonce in self.used_since for row in self.pending)

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
        if self.unseen:
            raise SendFailedError(Reason.RECEIPT_MISSING, f"{self.unseen.purpose}, nonce {self.unseen.nonce}")
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
        quote: Quote,
        timings: Timings,
        poll_s: float,
        clock: Callable[[], float],
        wishes: Callable[[tuple[Transaction, ...]], Awaitable[dict[int, str]]],
    ) -> None:
        self._dispatch = dispatch
        self._quote = quote
        self._timings = timings
        self._poll_s = poll_s
        self._clock = clock
        self._wishes = wishes
        self.news = asyncio.Event()
        """Set when a block came: what is under way looks at once."""
        self.is_pausing = False
        self.met_one_by_one = False
        """Whether a node refused a second transaction of this account: it is delegated."""

    async def fly(self, rows: tuple[Transaction, ...], guidance: Guidance) -> tuple[Receipt, ...]:
        """Hand rows over side by side, so that a burst reaches one block, and follow them. Raises as ``follow``."""
        course = self._course(rows, guidance)
        await self._say(course, course.pending)
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
            await self._look(course)
            if not course.pending:
                return course.landed(rows)
            if course.is_mixed and course.dropped is None:
                await self._cancel(course, guidance, Reason.SUPERSEDED)
            await self._grant_wishes(course, guidance)
            if course.refused and await self._answer(course, guidance):
                continue
            await self._go_on(course, guidance, course.state.next_move(self._clock(), timings))

    async def _go_on(self, course: Course, guidance: Guidance, move: Move) -> None:
        """Do what is due."""
        match move:
            case Move.GIVE_UP:
                await self._give_up(course)
            case Move.REBROADCAST if not course.is_used_up:
                await self._say(course, course.pending)
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
                await self._unseen(row, course)
        first = course.unseen or course.pending[0]
        reason = Reason.RECEIPT_MISSING if course.unseen else Reason.NOT_MINED
        words = "" if course.unseen else ": still pending"
        refusal = course.refused.get(first.nonce)
        if refusal is not None and first.nonce not in course.taken_once and not course.unseen:
            reason, words = answers.reason_of(refusal.cause), f": {refusal.text}"
        raise SendFailedError(reason, f"{first.purpose}, nonce {first.nonce}{words}")

    # --- looking -----------------------------------------------------------------------------------------------------

    async def _look(self, course: Course) -> None:
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
                await self._say(course, course.pending)

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
                return await self._traced(seen, course)
        return seen

    async def _traced(self, row: Transaction, course: Course, *, was_refused: bool = False) -> Transaction:
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
                return await self._unseen(row, course)
        return row

    async def _unseen(self, row: Transaction, course: Course) -> Transaction:
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

    # --- saying ------------------------------------------------------------------------------------------------------

    async def _say(self, course: Course, rows: Sequence[Transaction]) -> None:
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

    async def _answer(self, course: Course, guidance: Guidance) -> bool:
        """Take the next step that refusals ask for; return whether something new was said, to be looked at once.

        Raises SendFailedError when no step is left and no node has any of the bytes.
        """
        said = False
        for row in course.pending:
            refusal = course.refused.get(row.nonce)
            if refusal is None:
                continue
            of = RefusedBytes(
                fees_of(row),
                row.gas_limit,
                course.first_gas.get(row.nonce, row.gas_limit),
                course.repeats[row.id, refusal.cause],
            )
            step = answers.step(refusal, of) if course.answered < answers.MOST_ANSWERS else Wait()
            if isinstance(step, OfferMore) and self._clock() - course.looked_at > LOOK_HOLDS_S:
                match await self._recheck(course, guidance):
                    case Drop():
                        return True
                    case Unsure():
                        return self._leave(course, row)
            said = await self._take(step, course, row, refusal, guidance) or said
        return said

    async def _take(
        self, step: answers.Step, course: Course, row: Transaction, refusal: Refusal, guidance: Guidance
    ) -> bool:
        ceiling = guidance.cancel_ceiling if course.dropped else course.ceiling
        match step:
            case OfferMore(least, wished):
                asked = Demands(over=self._over(course, row), least_tip=least.tip, least_cap=least.cap, wished=wished)
                return await self._offer_again(course, row, refusal, ceiling, asked)
            case OfferLess(most_cap):
                if row.nonce in course.taken_once:
                    return self._leave(course, row)  # some node has it: what replaces it must offer more
                return await self._offer_again(course, row, refusal, ceiling, Demands(most_cap=most_cap))
            case MoreGas(least, most):
                estimate = await self._dispatch.estimate(row) or 0
                limit = min(most, max(least, estimate * 5 // 4))
                asked = Demands(over=self._over(course, row), least_tip=fees_of(row).tip)
                return await self._offer_again(course, row, refusal, ceiling, asked, limit)
            case OneByOne():
                self.met_one_by_one = course.one_by_one = True
                return self._leave(course, row)
            case LookAgain():
                return await self._look_at_the_chain(course, row, refusal)
            case Stop(reason):
                return await self._stop(course, row, reason, refusal.text)
            case Wait():
                return self._leave(course, row)

    def _over(self, course: Course, row: Transaction) -> tuple[Fees, ...]:
        """Return what a row's new bytes replace: nothing, while no node has any of it."""
        return (fees_of(row),) if row.nonce in course.taken_once else ()

    def _leave(self, course: Course, row: Transaction) -> bool:
        """Say it again in its time."""
        course.refused.pop(row.nonce, None)
        return False

    async def _stop(self, course: Course, row: Transaction, reason: Reason, detail: str) -> bool:
        """End the flight where no node has any bytes of it; else what was taken may land, and is followed.

        What every node refused for a reason that is understood never was on its way: it is given up with the flight.
        """
        if course.taken_once:
            return self._leave(course, row)
        if reason is not Reason.SENDING_FAILED:
            for pending in course.pending:
                await self._dispatch.settle(pending, TxState.EXPIRED, error=detail)
        raise SendFailedError(reason, f"{row.purpose}, nonce {row.nonce}: {detail}")

    async def _offer_again(
        self,
        course: Course,
        row: Transaction,
        refusal: Refusal,
        ceiling: Wei | None,
        asked: Demands,
        gas_limit: int | None = None,
    ) -> bool:
        """Sign a refused row anew as it was asked for, and say it; stop where that is not allowed."""
        course.answered += 1
        priced = replace(row, gas_limit=gas_limit or row.gas_limit)
        try:
            offer = await self._quote(ceiling, [priced], asked)
        except NodeError:
            return self._leave(course, row)
        old = fees_of(row)
        is_no_step = isinstance(offer, Offer) and (offer.max_fee, offer.tip) == (old.max_fee, old.tip) and not gas_limit
        if is_no_step:
            offer = NoOffer(Reason.FEE_LIMIT, "no more may be offered")
        if isinstance(offer, NoOffer):
            return await self._stop(course, row, answers.reason_of(refusal.cause), f"{refusal.text} ({offer.detail})")
        signed = await self._dispatch.resign(row, offer, gas_limit)
        course.rows = tuple(signed if r.id == row.id else r for r in course.rows)
        course.refused.pop(row.nonce, None)
        await self._say(course, [signed])
        course.state = course.state.bumped(_higher_of(course.state.fees, offer), self._clock())
        return True

    async def _look_at_the_chain(self, course: Course, row: Transaction, refusal: Refusal) -> bool:
        """A node says that a nonce is used, or not next: hear what the chain says, and what it shows."""
        course.answered += 1
        self._leave(course, row)
        if refusal.cause is not Cause.NONCE_USED:
            return False
        try:
            count = await self._dispatch.nonces.mined()
        except NodeError:
            return False
        if count.stated is not None and count.stated > row.nonce:
            count = self._dispatch.nonces.trust(count.stated)  # two words for it: the count, and the refusal
        if count.number <= row.nonce:
            return False
        course.used_since.setdefault(row.nonce, self._clock())
        traced = await self._traced(row, course, was_refused=True)
        course.rows = tuple(traced if r.id == row.id else r for r in course.rows)
        return not course.pending

    # --- deciding ----------------------------------------------------------------------------------------------------

    async def _second_look(self, course: Course, guidance: Guidance) -> None:
        """Offer more, if the plan is still right; say it again where nobody can confirm it. Raises PlanChangedError."""
        match await self._recheck(course, guidance):
            case Keep():
                await self._bid_more(course, course.ceiling if course.dropped is None else guidance.cancel_ceiling)
            case Unsure():
                await self._hold_still(course)

    async def _hold_still(self, course: Course) -> None:
        """Say what is pending again in its time, and look anew with the next block: no more is offered meanwhile."""
        now = self._clock()
        if now - course.state.said_at >= self._timings.rebroadcast_s:
            await self._say(course, course.pending)
            course.state = course.state.said(now)
        await self._pause()

    async def _recheck(self, course: Course, guidance: Guidance) -> Keep | Drop | Unsure:
        """Ask what would be decided now, before more is offered; cancel what is not needed. Raises PlanChangedError."""
        asked = await self._ask(guidance, has_begun=bool(course.receipts), is_dropped=course.dropped is not None)
        match asked:
            case Change():
                raise PlanChangedError(course.pending)
            case Drop():
                course.refused.clear()
                await self._cancel(course, guidance, Reason.NO_LONGER_NEEDED)
            case Keep(ceiling):
                course.looked_at = self._clock()
                if course.dropped is None:
                    course.ceiling = ceiling
        return asked

    async def _ask(self, guidance: Guidance, *, has_begun: bool, is_dropped: bool) -> Verdict:
        if is_dropped:
            return Keep(guidance.cancel_ceiling)
        if guidance.reconsider is None:
            return Keep(guidance.ceiling)
        try:
            return await guidance.reconsider(has_begun)
        except NodeError as error:
            return Unsure(Reason.NODE_AWAY, str(error))

    async def _bid_more(self, course: Course, ceiling: Wei | None) -> None:
        """Offer more for all that is pending; say it again unchanged where the ceiling forbids more."""
        now, offer = self._clock(), await self._higher(course, ceiling)
        if offer is None:
            await self._say(course, course.pending)
            course.state = course.state.capped(now)
            return
        raised = {row.id: await self._dispatch.resign(row, offer) for row in course.pending}
        course.rows = tuple(raised.get(row.id, row) for row in course.rows)
        await self._say(course, course.pending)
        course.state = course.state.bumped(offer, now)

    async def _cancel(self, course: Course, guidance: Guidance, why: Reason) -> None:
        """Replace all that is pending by transfers of nothing to oneself at the same nonces."""
        now, offer = self._clock(), await self._higher(course, guidance.cancel_ceiling, gas=CANCEL_GAS)
        if offer is None:
            course.state = course.state.capped(now)
            return
        course.dropped = why
        replaced = {r.id: await self._dispatch.sign(self.nothing(r), r.nonce, offer, r) for r in course.pending}
        course.rows = tuple(replaced.get(row.id, row) for row in course.rows)
        course.first_gas |= {row.nonce: row.gas_limit for row in replaced.values()}
        await self._say(course, course.pending)
        course.state = course.state.bumped(offer, now)

    async def _higher(self, course: Course, ceiling: Wei | None, gas: int | None = None) -> Offer | None:
        rows = [row if gas is None else replace(row, gas_limit=gas, value=0) for row in course.pending]
        over = (course.state.fees, *(fees_of(row) for row in course.pending))
        try:
            offer = await self._quote(ceiling, rows, Demands(over=over))
        except NodeError:
            return None
        return None if isinstance(offer, NoOffer) else offer

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


def _higher_of(a: Fees, b: Fees) -> Fees:
    return a if a.max_fee >= b.max_fee else b
