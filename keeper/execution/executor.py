"""Carry out a rehearsed plan on the real chain: judge it once more, send it in order, settle and verify it.

One story for every kind of position; what differs is an ``Errand``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeError
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Wei
from keeper.execution.course import Guidance, PlanChangedError, Reconsider, SendFailedError
from keeper.execution.dispatch import Outgoing
from keeper.execution.lending_errand import LendingParts
from keeper.execution.outcome import Ending
from keeper.execution.perp_errand import PerpParts
from keeper.execution.policy import PolicyError
from keeper.execution.sender import Sender
from keeper.execution.settlement import Settlement, Unfilled
from keeper.execution.warrant import Warrant
from keeper.journal import JournalError
from keeper.journal.decisions import OutcomeKind
from keeper.venues.ports import ReadFailedError

O_co = TypeVar("O_co", covariant=True)
O = TypeVar("O", bound=Ending[Any])  # noqa: E741 - an outcome
S_co = TypeVar("S_co", bound=Sender, covariant=True)
CALLED_OFF = (Reason.NO_LONGER_NEEDED, Reason.CANCELLED, Reason.SUPERSEDED)
CUT_SHORT = (Reason.FLOOR_TOO_NEAR, Reason.GIVES_WAY, Reason.PRICE_MOVED)
"""The market moved under a later round, or another needs the signer: what was done stands, the rest is decided anew."""


class Errand(Protocol[O_co]):
    """One rehearsed plan on its way: all that the executor needs to know of its kind."""

    @property
    def warrant(self) -> Warrant:
        """What it is sent under."""

    @property
    def block(self) -> BlockRef:
        """The block it was decided on."""

    @property
    def settlement(self) -> Settlement:
        """When what was mined is done."""

    def check(self) -> None:
        """Raise PolicyError unless all that would be sent may be."""

    def bursts(self) -> Iterable[list[Outgoing]]:
        """Yield what goes out together."""

    def rests(self, burst: Sequence[Outgoing]) -> bool:
        """Return whether the orders a burst leaves wait for a price: nobody follows those."""

    async def check_again(self, burst: Sequence[Outgoing]) -> None:
        """Raise SendFailedError where a later burst would do harm at prices now."""

    async def unfilled(self, found: Unfilled, hashes: tuple[str, ...]) -> O_co:
        """Return what came of a plan whose orders were not all carried out."""

    async def verified(self, receipts: Sequence[Receipt]) -> O_co:
        """Compare the chain with the promise. Raises NodeError, ReadFailedError."""

    async def ended(self, kind: OutcomeKind, reason: Reason, detail: str, hashes: tuple[str, ...]) -> O_co:
        """Return an outcome with the position as it is now. Never raises: that it cannot be read is said."""

    def unread(self, reason: Reason, detail: str, hashes: tuple[str, ...]) -> O_co:
        """Return the outcome of a plan that was mined and cannot be verified."""

    async def put_back(self) -> None:
        """Return to the position what a plan that fell short left outside. Never raises."""


@dataclass(frozen=True, slots=True)
class Executor(Generic[S_co]):
    """Carries plans out by one sender."""

    lane: S_co
    cap: Wei | None
    """Highest fee per gas the owner allows for anything, cancellations too."""
    lending: LendingParts
    perps: PerpParts
    is_wanted: Callable[[], bool] = bool
    """Says whether another position waits for the signer: then both are decided together, before a next round."""

    async def execute(self, errand: Errand[O], reconsider: Reconsider | None = None) -> O:
        """Send the plan and verify it. Never raises for what the chain, the venue or the node did: that is the outcome.

        Between bursts the position is half way: the rest is finished, not reconsidered.
        """
        receipts, warrant = list[Receipt](), errand.warrant
        guidance = Guidance(
            warrant.ceiling, self.cap, reconsider, decided_at=errand.block, entry=warrant.entry, balance=warrant.balance
        )
        try:
            errand.check()
            for burst in errand.bursts():
                if receipts:
                    self._give_way()
                    await errand.check_again(burst)
                got = await self.lane.send(burst, guidance)
                receipts += got
                guidance = Guidance(warrant.ceiling, self.cap, continues=True)
                left = await errand.settlement.settled(got, warrant.decision_id, rests=errand.rests(burst))
                if left is not None:
                    return await errand.unfilled(left, _hashes(receipts))
        except (PolicyError, SendFailedError, PlanChangedError, NodeError, ReadFailedError, JournalError) as error:
            return await self._fell_short(errand, receipts, error)
        return await _verified(errand, receipts)

    def _give_way(self) -> None:
        """Stop between two rounds where another position waits for the signer. Raises SendFailedError."""
        if self.is_wanted():
            raise SendFailedError(Reason.GIVES_WAY, "what was done stands")

    async def _fell_short(self, errand: Errand[O], receipts: Sequence[Receipt], error: Exception) -> O:
        reason, detail = _why(error)
        is_cut_short = bool(receipts) and reason in CUT_SHORT
        if reason is Reason.REVERTED:
            reason, said = await self._why_reverted(error)
            detail = f"{detail}{said and f': {said}'}"
        if await self._is_over():
            await errand.put_back()
        kind: OutcomeKind = "partial" if is_cut_short else "cancelled" if reason in CALLED_OFF else "failed"
        return await errand.ended(kind, reason, detail, _hashes(receipts))

    async def _is_over(self) -> bool:
        """Return whether nothing of the plan can land any more: then what it took out comes back before its end.

        However it fell short, a call of it may have been mined. What is decided next is decided on all there is.
        """
        try:
            return await self.lane.is_clear()
        except JournalError:
            return False

    async def _why_reverted(self, error: Exception) -> tuple[Reason, str]:
        """Return whether a revert was for the price, and what the chain says of it."""
        if isinstance(error, SendFailedError) and error.reverted is not None:
            return await self.lane.why_reverted(*error.reverted)
        return Reason.REVERTED, ""


async def _verified(errand: Errand[O], receipts: Sequence[Receipt]) -> O:
    """Verify what was mined. Every call of it succeeded: where nothing can be read, that is what is said."""
    try:
        return await errand.verified(receipts)
    except NodeError as error:
        why = str(error)
    except ReadFailedError as error:
        why = f"{error.doubt.reason.short}: {error.doubt.detail}"
    return errand.unread(Reason.UNVERIFIED, why, _hashes(receipts))


def _why(error: Exception) -> tuple[Reason, str]:
    match error:
        case PolicyError() | SendFailedError():
            return error.reason, error.detail
        case ReadFailedError():
            return error.doubt.reason, error.doubt.detail
        case PlanChangedError():
            return Reason.SUPERSEDED, str(error)
        case JournalError():
            return Reason.JOURNAL_AWAY, str(error)
        case _:
            return Reason.NODE_AWAY, str(error)


def _hashes(receipts: Sequence[Receipt]) -> tuple[str, ...]:
    return tuple(receipt.hash for receipt in receipts)
