"""A rehearsed plan about a loan, about to go out."""

from __future__ import annotations

from functools import partial

from keeper.chain.errors import NodeError
from keeper.core.decide import Hold
from keeper.core.lending.plan import Plan
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot
from keeper.core.units import Usd
from keeper.engine.engine import Engine
from keeper.engine.lending import report
from keeper.engine.lending.deeds import outcome_said
from keeper.engine.lending.preflight import Prepared, grant_of
from keeper.engine.lending.recheck import LookAgain, lending_look, look_again
from keeper.engine.one_position import OfOnePlan
from keeper.engine.recheck import Anew
from keeper.engine.report import Data, fee
from keeper.engine.submit import Heading, Written
from keeper.execution.executor import Errand, Executor
from keeper.execution.outcome import Outcome
from keeper.execution.recheck import Unsure
from keeper.execution.sender import Sender
from keeper.execution.warrant import Warrant
from keeper.journal import Entry, JournalError
from keeper.venues.ports import ReadFailedError

OVERTAKEN = (Reason.PRICE_MOVED, Reason.POSITION_CHANGED, Reason.WORDS_USED, Reason.APPROVAL_MISSING)
"""What says nothing against a plan but that others were there first: what is right by now is asked at once."""


class LendingDeparture(OfOnePlan[Prepared]):
    """The plan, and what is right in its place once more is to be offered for it."""

    def __init__(self, engine: Engine, snapshot: Snapshot, prepared: Prepared, again: LookAgain | None = None) -> None:
        name = prepared.plan.intent.position
        self._again: LookAgain = again or partial(look_again, engine, name)
        super().__init__(engine, snapshot, prepared, name, lending_look(engine, prepared, self._again))

    @property
    def plan(self) -> Plan:
        """What will be done."""
        return self._prepared.plan

    def written(self) -> Written:
        """Return what the journal keeps of it."""
        sent = self._prepared
        made = report.plan(sent.plan, sent.script.calls) | fee(sent.stake, sent.ceiling)
        if uses := [use for use in sent.script.uses if use is not None]:
            made |= {"account_nonces": [{"nonce": use.nonce, "signed_for": use.exposes} for use in uses]}
        return Written(made, report.rehearsal(sent.rehearsed))

    def rehearsed(self) -> Outcome:
        """Return the outcome of a plan that was only to be rehearsed."""
        found = self._prepared.rehearsed
        return Outcome("rehearsed", Reason.REHEARSED, found.where, found.after)

    def without_signer(self) -> Outcome:
        """Return the outcome where nobody can sign it."""
        return Outcome("failed", Reason.NO_SIGNER, self._name, None)

    def errand(self, executor: Executor[Sender], entry: Entry, spent: Usd) -> Errand[Outcome]:
        """Return the plan ready to go, granted what its rule may do at the block it was decided on."""
        sent, block = self._prepared, self.plan.intent.assessment.position.block
        grant = grant_of(self._engine, block, sent.plan, self.signer, spent)
        warrant = Warrant(entry, grant, self.snapshot.wallets[self.signer], sent.ceiling)
        return executor.lending.errand(sent.plan, sent.script, sent.rehearsed, warrant)

    def expects_change(self) -> None:
        """Nothing: what a plan of ours does to a loan is known by its calls."""

    def heading(self, outcome: Outcome) -> Heading:
        """Return how it stands afterwards."""
        health = outcome.after.health_factor if outcome.after else None
        return Heading(health, "health factor", outcome_said(self.plan, outcome))

    def outcome(self, outcome: Outcome) -> Data:
        """Return what came of it, as plain data."""
        return report.outcome(outcome)

    async def remember(self, decision_id: int, outcome: Outcome) -> None:
        """Nothing lasts longer than the plan."""

    async def following(self, outcome: Outcome) -> LendingDeparture | None:
        """Return what is sent at once in its place: what is right by now, or one for the price as it is by now.

        A price that moved under a plan refuses its swap, or leaves too little health for the round that comes next.
        What a liquidator took before it in its block calls it off.
        """
        is_cut_short = outcome.reason is Reason.FLOOR_TOO_NEAR and outcome.kind == "partial"
        found: Anew[Prepared] | Hold | Unsure | None = None
        if outcome.reason is Reason.SUPERSEDED:
            found = self.look.seen
        elif outcome.reason in OVERTAKEN or is_cut_short:
            found = await self._anew()
        if not isinstance(found, Anew):
            return None
        return LendingDeparture(self._engine, found.snapshot, found.prepared, self._again)

    async def _anew(self) -> Anew[Prepared] | Hold | Unsure | None:
        try:
            return await self._again(Usd(0))
        except (NodeError, ReadFailedError, JournalError):
            return None  # the next block decides anew
