"""The second leg of a hedge: how long a book may stand naked, and what is done when its trade does not come. Pure.

A book is naked while its delta is outside the band. What that has cost is counted as size × time; the owner gives a
budget. States of the second leg, as the venue and its logs show them:

    even ─► open ─► ordered ─► filled ─► even
                      │ late, cancelled, frozen, auto-deleveraged, liquidated
                      ▼
                    retry (at market, within slippage) ─► … ─► budget spent ─► unwind the first leg

Every step away from even is reported; nothing here waits for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from keeper.core.units import WAD, Wad

LATE_S = 60
"""An order not executed after this is late: it is reported; it can be taken back once the venue allows."""
MOST_TRIES = 3
"""Orders that failed in a row before the first leg is unwound whatever the budget."""


class Leg(Enum):
    """How the second leg stands."""

    NONE = "none"
    ORDERED = "ordered"
    FROZEN = "frozen"
    FAILED = "failed"
    """The last order was cancelled or reverted."""
    LOST = "lost"
    """The hedge was liquidated or auto-deleveraged."""


class NextStep(Enum):
    """What to do next."""

    REST = "rest"
    TRADE = "trade"
    WAIT = "wait"
    TAKE_BACK = "take_back"
    """Cancel the order that waits, then trade anew."""
    UNWIND = "unwind"


@dataclass(frozen=True, slots=True)
class NakedBudget:
    """Size × time: Wad whole underlyings for ``time_s`` seconds."""

    size: Wad
    time_s: int

    @property
    def product(self) -> int:
        """What may be used in all, Wad seconds."""
        return self.size * self.time_s


@dataclass(frozen=True, slots=True)
class Naked:
    """How long and how far a book has been outside its band: kept in the journal."""

    since: int | None = None
    """When it left the band, unix seconds; None while it is inside."""
    seen: int = 0
    used: int = 0
    """Wad seconds."""
    tries: int = 0
    """Orders of this episode that failed."""

    def is_spent(self, budget: NakedBudget) -> bool:
        """Return whether the budget is used up."""
        return self.used >= budget.product


def observed(naked: Naked, now: int, away: int, *, is_outside: bool) -> Naked:
    """Return the state with a block seen: ``away`` is the distance (Wad, unsigned) from the target.

    The time since the last look counts with what is seen now, in full: what happened between is not known.
    """
    if not is_outside:
        return Naked()
    if naked.since is None:
        return Naked(now, now, 0, naked.tries)
    return replace(naked, seen=max(now, naked.seen), used=naked.used + away * max(0, now - naked.seen))


def failed(naked: Naked) -> Naked:
    """Return the state after an order came to nothing."""
    return replace(naked, tries=naked.tries + 1)


def is_over(naked: Naked, budget: NakedBudget) -> bool:
    """Return whether the second leg had its chances: an order and one more within the budget, or ``MOST_TRIES``."""
    return naked.tries >= MOST_TRIES or (naked.tries > 1 and naked.is_spent(budget))


def next_step(naked: Naked, leg: Leg, waiting_s: int, budget: NakedBudget, *, can_take_back: bool) -> NextStep:
    """Return what to do about the second leg.

    ``waiting_s`` is the age of the order that waits; ``can_take_back`` whether the venue lets it be cancelled yet.
    """
    if naked.since is None:
        return NextStep.REST
    gives_up = naked.is_spent(budget) or naked.tries >= MOST_TRIES
    match leg:
        case Leg.ORDERED if can_take_back and waiting_s > LATE_S:
            return NextStep.TAKE_BACK
        case Leg.ORDERED:
            return NextStep.WAIT
        case Leg.FROZEN:
            return NextStep.TAKE_BACK
        case _:
            return NextStep.UNWIND if gives_up else NextStep.TRADE


def budget_text(naked: Naked, budget: NakedBudget) -> str:
    """Return how much of the budget is used, for people."""
    share = naked.used * 100 // budget.product if budget.product else 100
    return f"{min(share, 999)} % of the naked-delta budget used, {naked.used // WAD} unit-seconds"
