"""What is done about refusals of rows on their way: each takes the step that its cause asks for (``answers``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from keeper.chain.client_words import Cause
from keeper.chain.errors import NodeError
from keeper.chain.fees import Fees
from keeper.chain.rejections import Refusal
from keeper.core.reasons import Reason
from keeper.core.units import Wei
from keeper.execution import answers
from keeper.execution.answers import LookAgain, MoreGas, OfferLess, OfferMore, OneByOne, RefusedBytes, Stop, Wait
from keeper.execution.asking_again import AskingAgain
from keeper.execution.course import Course, Guidance, SendFailedError
from keeper.execution.dispatch import Dispatch, fees_of
from keeper.execution.lookout import Lookout
from keeper.execution.pricing import Demands, NoOffer, Offer
from keeper.execution.recheck import Drop, Unsure
from keeper.execution.saying import Quote, Saying
from keeper.execution.tx_state import TxState
from keeper.execution.unsigned import UnsignedError
from keeper.journal import Transaction

LOOK_HOLDS_S = 2.0
"""How long a look at the position is good for: a later higher offer, whoever asks for it, takes another."""


class Answering:
    """Answers nodes that refuse."""

    def __init__(
        self,
        dispatch: Dispatch,
        quote: Quote,
        voice: Saying,
        lookout: Lookout,
        second: AskingAgain,
        clock: Callable[[], float],
    ) -> None:
        self._dispatch = dispatch
        self._quote = quote
        self._voice = voice
        self._lookout = lookout
        self._second = second
        self._clock = clock
        self.met_one_by_one = False
        """Whether a node refused a second transaction of this account: it is delegated."""

    async def answer(self, course: Course, guidance: Guidance) -> bool:
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
                match await self._second.recheck(course, guidance):
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
        try:
            signed = await self._dispatch.resign(row, offer, gas_limit)
        except UnsignedError:
            return self._leave(course, row)
        course.rows = tuple(signed if r.id == row.id else r for r in course.rows)
        course.refused.pop(row.nonce, None)
        await self._voice.say(course, [signed])
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
        traced = await self._lookout.traced(row, course, was_refused=True)
        course.rows = tuple(traced if r.id == row.id else r for r in course.rows)
        return not course.pending


def _higher_of(a: Fees, b: Fees) -> Fees:
    return a if a.max_fee >= b.max_fee else b
