"""``keeper panic``: what its owner ordered to be closed or deleveraged, by the engine's own rules, gate and lane."""

from __future__ import annotations

import time
from collections.abc import Sequence

from keeper.core.decide import NEEDLESS, Hold, asked_for
from keeper.core.lending.rules import Rule
from keeper.core.panics import Order, in_force
from keeper.core.perp.rules import PerpRule
from keeper.core.reasons import Reason
from keeper.engine.result import Result
from keeper.journal import JournalError, orders
from keeper.journal.ports import History
from keeper.service.opened import Opened
from keeper.settings import Settings

DONE = (*NEEDLESS, Reason.CLOSED, Reason.NO_POSITION)


class Panic:
    """The orders of one engine: looked for before each block, in force until their targets are met."""

    def __init__(self, engine: Opened, settings: Settings) -> None:
        self._engine = engine
        self.settings = settings
        self.order = Order((), 0)

    async def heed(self) -> None:
        """Put in force what was ordered since the last block. A journal that is away leaves all as it was."""
        if not (self._declared or self.order.positions):
            return  # nothing can be ordered: no block waits for the journal
        try:
            self.order = await ordered(self._engine.journal, self.settings)
        except JournalError:
            return  # reported where it matters
        self._doubt()
        self._engine.state.rules = self.loans(self._engine.state.rules)
        self._engine.perps.rules = self.perps(self._engine.perps.rules)

    @property
    def _declared(self) -> frozenset[str]:
        """The positions that have a way out by the settings of now."""
        of = self.settings
        return frozenset([*(r.position for r in of.panic_rules), *(r.position for r in of.perp_panic_rules)])

    def _doubt(self) -> None:
        """Report what was ordered by settings that are not those of now: nothing would ever come of it."""
        key, lost = "panic:undeclared", sorted(set(self.order.positions) - self._declared)
        if not lost:
            self._engine.observer.clear_alarm(key, "Everything that is ordered has its [[panic]].")
            return
        body = (
            f"{', '.join(lost)}: no [[panic]] in the settings this keeper goes by, and the other rules are paused. "
            "Declare it and reload, or call the order off and resume them."
        )
        self._engine.observer.raise_alarm(key, "What was ordered cannot be done", body)

    def loans(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Return the rules of loans that are in force."""
        return in_force(rules, self.settings.panic_rules, self.order.positions)

    def perps(self, rules: Sequence[PerpRule]) -> tuple[PerpRule, ...]:
        """Return the rules of perpetual positions that are in force."""
        return in_force(rules, self.settings.perp_panic_rules, self.order.positions)

    async def saw(self, results: Sequence[Result]) -> None:
        """A block was judged: what is where its owner wanted it is done with, and he hears so."""
        done = [r.name for r in results if r.name in self.order.positions and r.name in self._declared and _is_done(r)]
        if not done:
            return
        try:
            left = await orders.done_with(self._engine.journal.facts, self.settings.network.known_as, done)
        except JournalError:
            return  # the same is found at the next block
        self.order = left
        for name in done:
            body = "It is where you wanted it. Its other rules stay paused: keeper resume --position ends that."
            self._engine.observer.noticed(name, Reason.RESTORED, f"{name}: what you ordered is done", body)


async def ordered(journal: History, settings: Settings) -> Order:
    """Return what is ordered and not done. Raises JournalError."""
    return await orders.ordered(journal.facts, settings.network.known_as)


async def give_order(journal: History, settings: Settings, names: Sequence[str]) -> Order:
    """Write an order down; the other rules of its positions are paused, lest they undo it. Raises JournalError."""
    return await orders.give_order(journal.facts, settings.network.known_as, names, int(time.time()))


async def take_back(journal: History, settings: Settings) -> Order:
    """Forget what is ordered and not done, and return it. What is paused stays so. Raises JournalError."""
    return await orders.take_back(journal.facts, settings.network.known_as)


def _is_done(of: Result) -> bool:
    return isinstance(of.decision, Hold) and asked_for(of.holds).reason in DONE
