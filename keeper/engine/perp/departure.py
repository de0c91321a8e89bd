"""A rehearsed plan about a perpetual position or a book, about to go out."""

from __future__ import annotations

from keeper.core.book.rules import BookIntent
from keeper.core.book.unhedged import failed as order_failed
from keeper.core.perp import margin as perps
from keeper.core.perp.plan import PerpPlan
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot
from keeper.core.units import Usd
from keeper.engine.engine import Engine
from keeper.engine.one_position import OfOnePlan
from keeper.engine.perp import report
from keeper.engine.perp.make_up import rest_of
from keeper.engine.perp.notices import outcome_said
from keeper.engine.perp.preflight import PerpPrepared, grant_of
from keeper.engine.perp.recheck import perp_look
from keeper.engine.recheck import Anew
from keeper.engine.report import Data
from keeper.engine.submit import Heading, Written
from keeper.execution.executor import Errand, Executor
from keeper.execution.outcome import PerpOutcome
from keeper.execution.sender import Sender
from keeper.execution.warrant import Warrant
from keeper.journal import Entry

MAKE_UPS = 2
"""Plans that may follow a near miss at once."""


class PerpDeparture(OfOnePlan[PerpPrepared]):
    """The plan, and what is right in its place or after it. ``made_up`` counts the near misses before it."""

    def __init__(self, engine: Engine, snapshot: Snapshot, prepared: PerpPrepared, made_up: int = 0) -> None:
        super().__init__(engine, snapshot, prepared, prepared.plan.before.name, perp_look(engine, prepared))
        self._made_up = made_up

    @property
    def plan(self) -> PerpPlan:
        """What will be done."""
        return self._prepared.plan

    def written(self) -> Written:
        """Return what the journal keeps of it."""
        sent = self._prepared
        made = report.plan(sent.plan, sent.calls, sent.ceiling)
        return Written(made, report.rehearsal(sent), "upkeep" if sent.plan.is_upkeep else "act")

    def rehearsed(self) -> PerpOutcome:
        """Return the outcome of a plan that was only to be rehearsed."""
        return PerpOutcome("rehearsed", Reason.REHEARSED, self._prepared.where, self._prepared.after)

    def without_signer(self) -> PerpOutcome:
        """Return the outcome where nobody can sign it."""
        return PerpOutcome("failed", Reason.NO_SIGNER, self._name, None)

    def errand(self, executor: Executor[Sender], entry: Entry, spent: Usd) -> Errand[PerpOutcome]:
        """Return the plan ready to go, granted what its rule may do at the block it was decided on."""
        sent = self._prepared
        grant = grant_of(self._engine, self.snapshot.block, sent.plan, spent, sent.gas_price)
        warrant = Warrant(entry, grant, self.snapshot.wallets[self.signer], sent.ceiling)
        return executor.perps.errand(sent.plan, sent.calls, sent.gas_used, warrant)

    def expects_change(self) -> None:
        """Keep in mind that size which goes now goes by our own hand."""
        self._engine.perps.expected.add(self._name)

    def heading(self, outcome: PerpOutcome) -> Heading:
        """Return how it stands afterwards."""
        ratio = perps.margin_ratio(outcome.after) if outcome.after else None
        return Heading(ratio, "margin ratio", outcome_said(self.plan, outcome))

    def outcome(self, outcome: PerpOutcome) -> Data:
        """Return what came of it, as plain data."""
        return report.outcome(outcome)

    async def remember(self, decision_id: int, outcome: PerpOutcome) -> None:
        """Keep the orders that still wait with the venue, and count the tries of a hedge that came to nothing."""
        memory, intent = self._engine.perps, self.plan.intent
        known = await memory.left(self._name)
        still = [o for o in known if o.decision_id != decision_id or o.key in outcome.waiting]
        if tuple(still) != known:
            await memory.set_left(self._name, still)
        came_to_nothing = outcome.kind == "failed" and (outcome.failed_orders or not outcome.waiting)
        if isinstance(intent, BookIntent) and came_to_nothing:
            await memory.set_naked(intent.rule, order_failed(await memory.naked_of(intent.rule)))

    async def following(self, outcome: PerpOutcome) -> PerpDeparture | None:
        """Return what is sent at once: in its place what is right by now, after a near miss what it left.

        What a near miss left is not for the next block: its rule may not fire again before it is far off.
        """
        found: Anew[PerpPrepared] | None = None
        made_up = self._made_up
        if outcome.reason is Reason.SUPERSEDED:
            found = self.look.seen
        elif outcome.reason is Reason.NEAR_MISS and made_up < MAKE_UPS:
            found, made_up = await rest_of(self._engine, self.plan.intent), made_up + 1
        return PerpDeparture(self._engine, found.snapshot, found.prepared, made_up) if found else None
