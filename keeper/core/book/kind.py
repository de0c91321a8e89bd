"""What the story needs to know of books."""

from __future__ import annotations

from keeper.core.book.actions import ACTIONS
from keeper.core.book.metrics import METRICS
from keeper.core.book.position import BookPosition
from keeper.core.book.rules import BookAssessment, BookIntent, BookRule, underlying_of
from keeper.core.perp.kind import pending_order
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Kind
from keeper.core.units import Wad


def waits(book: BookPosition) -> str | None:
    """Return the hedge whose order waits for its venue: one order at a time, whichever venue it waits at."""
    return next((perp.name for perp in book.hedges if pending_order(perp)), None)


def is_late(book: BookPosition, _: Wad) -> bool:
    """Return whether the hedge failed or took too long: then it waits for no cooldown."""
    return book.naked.tries > 0 or book.naked.is_spent(book.exposure.book.budget)


def no_hedge(rule: BookRule, book: BookPosition) -> Doubt | None:
    """Return that no hedge of the book could trade what a rule holds."""
    underlying, markets = underlying_of(rule), book.markets
    if not rule.actions or not book.hedges or underlying in markets:
        return None
    return Doubt(Reason.RULE_UNDECIDABLE, f"{underlying}, the hedges have {', '.join(markets) or 'no market'}")


BOOK: Kind[BookPosition, BookAssessment, BookIntent] = Kind(
    nothing=lambda _: None,
    metrics=METRICS,
    actions=ACTIONS,
    closed=None,
    disagrees=lambda _: None,
    waits=waits,
    liquidated_at=None,
    is_emergency=is_late,
    is_new_low=lambda _book, _prices: False,
    judged=BookAssessment,
    intended=BookIntent,
    members=lambda book: book.members,
    unable=no_hedge,
)
