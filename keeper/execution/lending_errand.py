"""Plans about loans on their way: their gate, their rounds, the floor between them, and what comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeError
from keeper.core.lending import figures as lending
from keeper.core.lending.moves import ByLoan, borrowing
from keeper.core.lending.plan import Plan
from keeper.core.lending.position import Principal
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, LendingPosition
from keeper.core.units import Wad, ratio_text
from keeper.execution import policy
from keeper.execution.bringing_back import BringsBack
from keeper.execution.course import SendFailedError
from keeper.execution.dispatch import Outgoing
from keeper.execution.encoding import PlannedCall, Script, Venues, allow_list
from keeper.execution.floor import keep_floor
from keeper.execution.hands import kept
from keeper.execution.outcome import Outcome
from keeper.execution.rehearsal import Rehearsed
from keeper.execution.rounds import outgoing
from keeper.execution.sealing import sealed_script
from keeper.execution.settlement import Immediate, Unfilled
from keeper.execution.warrant import Warrant
from keeper.journal import JournalError
from keeper.journal.decisions import OutcomeKind
from keeper.venues.ports import ReadFailedError

NO_PRINCIPAL = Principal(0, 0)


@dataclass(frozen=True, slots=True)
class LendingParts(BringsBack):
    """What plans about loans are carried out with, by one signer."""

    floor: Wad

    def errand(self, plan: Plan, script: Script, rehearsed: Rehearsed, warrant: Warrant) -> LendingErrand:
        """Return a rehearsed plan ready to go."""
        if script.carrier.waits(script.sent):
            position = plan.intent.assessment.position
            allowed = allow_list(self.venues(position.name), [h.asset for h in position.holdings], script.carrier)
            script = sealed_script(script, allowed, self.lane.signer.sign_hash)
        return LendingErrand(self, plan, script, rehearsed, warrant)

    async def keep_floor(self, plan: Plan, group: Sequence[PlannedCall]) -> None:
        """Raise SendFailedError where more collateral leaves than the floor allows at prices now."""
        await keep_floor(self, plan, group)

    async def verify(self, plan: Plan, receipts: Sequence[Receipt]) -> Outcome:
        """Compare the chain with the promise, at the prices the plan was decided on."""
        hashes = tuple(r.hash for r in receipts)
        now = await self.read_position(plan.intent.position, max(r.block_number for r in receipts))
        account = lending.proven(now)
        if account is None:
            return Outcome("failed", Reason.FIGURES_DISAGREE, "after the plan", now.reported, hashes)
        if why := self._kept_by_hands(plan, receipts):
            return Outcome("failed", Reason.LEFT_IN_HANDS, why, now.reported, hashes)
        then = at_prices(account, plan.intent.assessment.position)
        promised = lending.figures(then)
        if not plan.postcondition.is_met(promised, then.holdings):
            detail = f"wanted {plan.postcondition}, came to health factor {ratio_text(promised.health_factor)}"
            return Outcome("failed", Reason.POSTCONDITION_FAILED, detail, now.reported, hashes)
        if plan.is_partial:
            return Outcome("partial", Reason.PARTIAL, str(plan.postcondition), now.reported, hashes)
        return Outcome("restored", Reason.RESTORED, str(plan.postcondition), now.reported, hashes)

    def _kept_by_hands(self, plan: Plan, receipts: Sequence[Receipt]) -> str | None:
        """Return what contracts that only pass money on have kept of it, by the tokens' own logs."""
        if not (lent := borrowing(plan.moves)):
            return None
        hands = self.venues(plan.intent.position).hands(lent)
        return kept(hands, [one for receipt in receipts for one in receipt.transfers])


@dataclass(frozen=True, slots=True)
class LendingErrand:
    """One plan about a loan."""

    desk: LendingParts
    plan: Plan
    script: Script
    rehearsed: Rehearsed
    warrant: Warrant

    @property
    def block(self) -> BlockRef:
        """The block it was decided on."""
        return self.plan.intent.assessment.position.block

    @property
    def settlement(self) -> Immediate:
        """What is mined is done."""
        return Immediate()

    def check(self) -> None:
        """Raise PolicyError unless all that would be sent may be."""
        position = self.plan.intent.assessment.position
        gate(self.script, position, self.warrant.grant, self.desk.venues(position.name))
        if self.script.carrier.waits(self.script.sent):
            raise policy.PolicyError(Reason.POLICY_FORBIDS, "a signature within it is missing")

    def bursts(self) -> Iterator[list[Outgoing]]:
        """Yield what goes out together: everything in one batch, or burst by burst."""
        return outgoing(self.plan, self.script, self.rehearsed, self.warrant)

    def rests(self, burst: Sequence[Outgoing]) -> bool:
        """Never: no order is left."""
        del burst
        return False

    async def check_again(self, burst: Sequence[Outgoing]) -> None:
        """Raise SendFailedError where more collateral leaves than the floor allows at prices now."""
        await self.desk.keep_floor(self.plan, [self.script.calls[item.step] for item in burst])

    async def unfilled(self, found: Unfilled, hashes: tuple[str, ...]) -> Outcome:
        """Return a failure: a loan's plan leaves no orders."""
        return await self.ended("failed", found.reason, found.detail, hashes)

    async def verified(self, receipts: Sequence[Receipt]) -> Outcome:
        """Compare the chain with the promise. Raises NodeError, ReadFailedError."""
        return await self.desk.verify(self.plan, receipts)

    async def ended(self, kind: OutcomeKind, reason: Reason, detail: str, hashes: tuple[str, ...]) -> Outcome:
        """Return an outcome with the protocol's figures of now, where they can be read.

        Where everything was one call that reverted, and debt is less than it was, somebody else was there first.
        """
        try:
            now = await self.desk.read_position(self.plan.intent.position, None)
        except (NodeError, ReadFailedError):
            return Outcome(kind, reason, f"{detail}; the position could not be read afterwards", None, hashes)
        if reason is Reason.REVERTED and (moved := await self._moved()):
            return Outcome(kind, Reason.SAFE_NONCE_USED, f"{detail}; {moved}", now.reported, hashes)
        if reason is Reason.REVERTED and self._is_one_call and self._others_paid(now):
            reason = Reason.POSITION_CHANGED
        return Outcome(kind, reason, detail, now.reported, hashes)

    async def _moved(self) -> str | None:
        """Return in words that somebody else used the account's own nonce; nothing where no node says so."""
        with contextlib.suppress(NodeError):
            return await self.desk.lane.holder.moved(self.script.uses)
        return None

    @property
    def _is_one_call(self) -> bool:
        """Whether all that moves anything is done or reverts as a whole."""
        return self.script.carrier.is_atomic or any(isinstance(step.move, ByLoan) for step in self.plan.steps)

    def _others_paid(self, now: LendingPosition) -> bool:
        """Return whether debt was paid since the plan was decided: not by it, for of one call nothing stands."""
        owed = {h.asset: h.principal for h in now.holdings}
        before = self.plan.intent.assessment.position.holdings
        return any(owed.get(h.asset, NO_PRINCIPAL).owes_less_than(h.principal) for h in before)

    def unread(self, reason: Reason, detail: str, hashes: tuple[str, ...]) -> Outcome:
        """Return the outcome of a plan that was mined and cannot be verified."""
        return Outcome("partial", reason, detail, None, hashes)

    async def put_back(self) -> None:
        """Bring back what a round took out and could not trade.

        A failure here is not the plan's: it is tried again at the next start, and the position is decided anew.
        """
        with contextlib.suppress(policy.PolicyError, SendFailedError, NodeError, ReadFailedError, JournalError):
            await self.desk.bring_back(self.warrant.decision_id, self.plan.intent.position, self.warrant.ceiling)


def gate(script: Script, position: LendingPosition, grant: policy.Grant, venues: Venues) -> None:
    """Raise PolicyError unless all that would be sent may be."""
    known, assets = venues.grounds(position), [h.asset for h in position.holdings]
    allowed = allow_list(venues, assets, script.carrier)
    policy.check(script.sent, position.block.chain_id, grant, allowed, known)
    policy.check_sent(script.sent, script.meant, allowed)


def at_prices(account: lending.Loan, position: LendingPosition) -> lending.Loan:
    """Return an account with the prices of an earlier snapshot: what the plan did, apart from what the market did."""
    prices = {h.asset: h.price.answer for h in position.holdings}
    return lending.at_prices(account, prices)
