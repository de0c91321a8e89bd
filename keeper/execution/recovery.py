"""Plans cut short, by a kill, a full disk or a node: what they left is brought back, called off or continued."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from keeper.core.notices import Ended
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.execution.bringing_back import BRINGING_BACK
from keeper.execution.course import Guidance, SendFailedError
from keeper.execution.executor import Executor
from keeper.execution.lane import Lane, is_not_mined
from keeper.execution.policy import PolicyError
from keeper.execution.standing import ReadNow, take_back_standing
from keeper.journal import Decision, Journal
from keeper.journal.decisions import OutcomeKind
from keeper.journal.signed import UNDECIDED

DAY_S = 86_400
LOOK_BACK = 50
"""Decisions that are searched for plans cut short."""
TRIES = 5
"""Times what a plan left outside is returned before the owner hears that it stays there."""
Key = tuple[str, str]
"""Position and rule."""


class Reporter(Protocol):
    """Where what became of old plans is reported."""

    def reconciled(self, signer: str, rows: int, /) -> None:
        """Report that transactions of an earlier run were followed to their end."""

    def raise_alarm(self, key: str | None, title: str, body: str, /) -> None:
        """Alert the owner."""

    def concluded(self, ended: Ended, health: int | None, /, *, subject: str) -> None:
        """Report how a plan ended."""


@dataclass(slots=True)
class Aftermath:
    """Of live plans only. ``spenders`` says who signs for which position. Everything raises JournalError."""

    journal: Journal
    observer: Reporter
    spenders: Mapping[str, Address]
    cap: Wei | None
    tried: Counter[int] = field(default_factory=Counter)
    """By decision, how often its return was tried and did not come to its end."""
    tidied: Counter[int] = field(default_factory=Counter)
    """By decision, how often the taking back of its approvals was not seen to its end."""
    takes_out: Callable[[str], bool] = lambda _: True
    """Says whether plans of a position take anything out of it that may stay outside."""

    async def cut_short(self, signer: Address, now: int) -> list[Decision]:
        """Return a signer's plans of the last day that may have left something outside; the owner sees to older ones.

        One that was called off may have: a part of it, or of what it replaced, can have been mined before.
        """
        recent = await self._recent(now)
        ends = ("restored", "partial")
        return [d for d in recent if _is_unfinished(d, ends) and self.spenders.get(d.position) == signer]

    async def bring_back(self, decision: Decision, executor: Executor[Lane]) -> bool:
        """Return to a position what a plan left outside, so that what is decided next is decided rightly.

        Returns whether nothing is left to be tried: what another use of the key, a fee or a node prevented is tried
        again, a few times. What cannot be returned is reported, and stands in nobody's way. Raises NodeError,
        ReadFailedError.
        """
        try:
            if await executor.lending.bring_back(decision.id, decision.position, self.cap):
                self.observer.reconciled(executor.lane.holder.address, 1)
        except SendFailedError as error:
            self.tried[decision.id] += 1
            if self.tried[decision.id] < TRIES and error.reason is not Reason.REVERTED:
                return False
            self._stays_outside(decision, error)
        except PolicyError as error:
            self._stays_outside(decision, error)
        return True

    def _stays_outside(self, decision: Decision, error: Exception) -> None:
        title = "What a plan left outside stays there"
        self.observer.raise_alarm(f"outside:{decision.id}", title, str(error))

    async def undone(self, executor: Executor[Lane]) -> None:
        """Write down that a reorg took back what plans had done: they restored nothing, and start no cooldown."""
        reason = Reason.INTERRUPTED
        for id_ in {row.decision_id for row in await executor.lane.leftovers()}:
            decision = await self.journal.decisions.get(id_)
            if decision and decision.outcome_kind in ("restored", "partial"):
                outcome = {"kind": "failed", "reason": reason.code, "detail": "a reorg took its transactions back"}
                await self.journal.decisions.record_outcome(id_, "failed", outcome)

    async def found(self, executor: Executor[Lane], needless: Collection[str]) -> None:
        """Write down what came of plans whose receipts came late: a plan that was taken for failed has landed."""
        lane = executor.lane
        for id_ in {row.decision_id for row in lane.take_found()}:
            decision, rows = await self.journal.decisions.get(id_), await lane.of_decision(id_)
            known = decision is None or decision.outcome_kind in ("restored", "partial")
            if decision is None or known or any(row.state in UNDECIDED for row in rows):
                continue
            reason = Reason.RESTORED if decision.position in needless else Reason.PARTIAL
            if any(row.state == "reverted" for row in rows):
                reason = Reason.REVERTED
            kind = kind_of(reason)
            outcome = {"kind": kind, "reason": reason.code, "detail": "its receipts came late"}
            await self.journal.decisions.record_outcome(id_, kind, outcome)
            end = Ended(decision.position, decision.rule, decision.summary, kind, reason, "its receipts came late")
            self.observer.concluded(end, None, subject=decision.position)

    async def call_off(self, executor: Executor[Lane], needless: Collection[str], judged_at: BlockRef) -> None:
        """Cancel what was left pending for positions that need nothing. Raises NodeError, SendFailedError.

        A plan that was begun is finished, if it can be. Where it waited as long as anything does, what it took out of
        its position would stay outside with it: the rest is called off, and that is brought back.
        """
        lane = executor.lane
        left = await lane.leftovers()
        if not lane.is_stuck and all(row.step >= BRINGING_BACK for row in left):
            return  # it takes back what a plan left: nobody else asks for it
        found = [await self.journal.decisions.get(id_) for id_ in {row.decision_id for row in left}]
        decisions = [decision for decision in found if decision and decision.position in needless]
        if not left or len(decisions) < len(found):
            return
        outside = [
            decision.id
            for decision in decisions
            if lane.is_stuck
            and self.takes_out(decision.position)
            and await executor.lending.left_outside(decision.id, decision.position)
        ]
        await lane.call_off(self.cap, judged_at, is_stranded=bool(outside))

    async def use_up_grant(self, executor: Executor[Lane]) -> None:
        """End a delegation that was called off: strangers could still make it. Raises NodeError, SendFailedError."""
        granted = await executor.lane.unused_grant()
        if granted is not None:
            title = "A delegation that was called off could still be made by others: its nonce is used up"
            signer = executor.lane.signer.address
            self.observer.raise_alarm(f"grant:{signer}:{granted.nonce}", title, f"{signer}, nonce {granted.nonce + 1}")
            await executor.lane.use_up(granted, self.cap)

    async def take_back(self, executor: Executor[Lane]) -> None:
        """Use up what a signature is still good for that was shown and not used. Raises NodeError, SendFailedError."""
        account = executor.lane.holder.address
        if await executor.lane.take_back(self.cap):
            title = "A signature that was shown could still be used by others: what it is good for is used up"
            self.observer.raise_alarm(f"signature:{account}:{executor.lane.holder.exposed}", title, account)

    async def tidy(
        self, signer: Address, executor: Executor[Lane], now: int, read: ReadNow, patience_s: float | None
    ) -> bool:
        """Take back what plans of the last day left approved, how they ended notwithstanding; return whether all is.

        After ``patience_s`` what was sent is left to who follows what is pending: no rescue waits for it, and takes its
        nonce. What cannot be taken back is reported, and tried again after the next plan or start. Raises NodeError,
        ReadFailedError, JournalError.
        """
        terms = Guidance(self.cap, self.cap, give_up_s=patience_s, continues=True)
        for decision in await self._recent(now):
            is_ours = decision.kind == "act" and decision.mode == "live" and self.takes_out(decision.position)
            if not is_ours or self.spenders.get(decision.position) != signer:
                continue
            try:
                taken = await take_back_standing(executor.lending, decision.id, decision.position, read, terms)
            except (SendFailedError, PolicyError) as error:
                self.tidied[decision.id] += 1
                is_on_its_way = patience_s is not None and is_not_mined(error)
                if is_on_its_way and self.tidied[decision.id] < TRIES:
                    return False
                title = "An approval that a plan left could not be taken back"
                self.observer.raise_alarm(f"approvals:{decision.id}", title, str(error))
                if is_on_its_way:
                    return True
            else:
                if taken:
                    self.observer.reconciled(executor.lane.holder.address, taken)
        return True

    async def _recent(self, now: int) -> list[Decision]:
        return [d for d in await self.journal.decisions.recent(LOOK_BACK) if now - d.block_timestamp <= DAY_S]

    async def close_interrupted(self) -> None:
        """Write down and report which plans were cut short; what is still needed is decided anew from the chain."""
        reason = Reason.INTERRUPTED
        for decision in await self.journal.decisions.unresolved():
            outcome = {"kind": "failed", "reason": reason.code, "detail": reason.short}
            await self.journal.decisions.record_outcome(decision.id, "failed", outcome)
            end = Ended(decision.position, decision.rule, decision.summary, "failed", reason, "decided anew")
            self.observer.concluded(end, None, subject=decision.position)


class Carried(Protocol):
    """A rule of whatever kind, as far as a plan of it can be carried on."""

    @property
    def name(self) -> str:
        """The rule's name."""

    @property
    def position(self) -> str:
        """The position it is about."""

    @property
    def cooldown_s(self) -> int:
        """How long what it did is remembered."""


R = TypeVar("R", bound=Carried)


@dataclass(slots=True)
class CarryOn(Generic[R]):
    """Rules of one kind; one whose plan was cut short fires until its target is met. Everything raises JournalError.

    Else a position would stay half way between trigger and target. It is forgotten when the cooldown is over.
    """

    journal: Journal
    rules: tuple[R, ...]
    until_target: Callable[[R], R]
    """Returns a rule as it fires until its target is met; the same where that has no meaning."""
    continued: dict[Key, R] = field(default_factory=dict)
    """The rules that fire until their targets are met, as they do so."""

    async def cut_short(self, now: int) -> tuple[R, ...]:
        """Return the rules, where the newest plan of one moved money and came to no end. ``now`` is the chain's."""
        newest = dict[str, Decision]()
        for decision in await self.journal.decisions.recent(LOOK_BACK):
            if decision.kind == "act" and decision.mode == "live":
                newest.setdefault(decision.position, decision)
        for rule in self.rules:
            decision_ = newest.get(rule.position)
            if decision_ is None or decision_.rule != rule.name or not _is_cut_short(decision_):
                continue
            rows = await self.journal.transactions.of_decision(decision_.id)
            has_moved = any(row.state in ("mined", "confirmed") and row.spend_usd for row in rows)
            if has_moved and now - decision_.block_timestamp <= rule.cooldown_s:
                self.continued[rule.position, rule.name] = self.until_target(rule)
        return self._now()

    def go_by(self, rules: tuple[R, ...]) -> None:
        """Go on by other rules: what was cut short is carried on by the rule of that name as it is now."""
        self.rules = rules
        known = {(rule.position, rule.name): rule for rule in rules}
        self.continued = {key: self.until_target(known[key]) for key in self.continued if key in known}

    def at_rest(self, positions: Collection[str]) -> tuple[R, ...]:
        """Return the rules; of positions that need nothing they fire at their own triggers again."""
        self.continued = {key: rule for key, rule in self.continued.items() if key[0] not in positions}
        return self._now()

    def _now(self) -> tuple[R, ...]:
        if not self.continued:
            return self.rules
        return tuple(self.continued.get((rule.position, rule.name), rule) for rule in self.rules)


def kind_of(reason: Reason) -> OutcomeKind:
    """Return how a plan ended whose receipts came late."""
    return "restored" if reason is Reason.RESTORED else "partial" if reason is Reason.PARTIAL else "failed"


def _is_cut_short(of: Decision) -> bool:
    return _is_unfinished(of, ("restored", "partial", "cancelled"))


def _is_unfinished(of: Decision, ends: Collection[str]) -> bool:
    return of.kind == "act" and of.mode == "live" and of.outcome_kind not in ends
