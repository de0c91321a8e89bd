"""What was seen of books, as plain data: who holds their delta, how long it stands unhedged, what holding it brings."""

from __future__ import annotations

from keeper.core.book import unhedged as legs
from keeper.core.book.carry import Carry
from keeper.core.book.rules import BookAssessment, goal_of, underlying_of
from keeper.core.prices import Doubt
from keeper.core.units import decimal_of, usd_text
from keeper.engine.report import Data, doubted


def book(of: BookAssessment, carry: Carry | None = None) -> Data:
    """Return a book's exposure, by whom it is held, and what of the naked-delta budget is used."""
    rule = of.rule
    return {
        "name": of.exposure.book.name,
        "readable": not of.exposure.doubts,
        "underlying": underlying_of(rule),
        "delta": decimal_of(of.delta, 18, 6),
        "band": decimal_of(rule.trigger.bound, rule.trigger.metric.unit.decimals, 6),
        "target": decimal_of(goal_of(rule), 18, 6),
        "parts": [
            {"holder": p.holder, "asset": p.symbol, "underlying": p.underlying, "delta": decimal_of(p.delta, 18, 6)}
            for p in of.exposure.parts
        ],
        "outside_since": of.naked.since,
        "naked": legs.budget_text(of.naked, of.exposure.book.budget) if of.naked.since is not None else None,
        "failed_orders": of.naked.tries,
        "carry": _carry(carry) if carry else None,
        "doubts": doubted(_doubts_of(of)),
    }


def _doubts_of(of: BookAssessment) -> tuple[Doubt, ...]:
    """Return what speaks against believing a book's delta, and against trading for it."""
    if of.exposure.doubts:
        return (*of.exposure.doubts, *of.doubts)
    return (*(v.doubt for v in of.verdicts if v.doubt), *of.doubts)


def _carry(found: Carry) -> Data:
    """Return what holding the book brings or costs in a day at present rates, and the hedge's break-even."""
    if found.days is not None:
        even = f"{found.days} days"
        line = f"the hedge earns {_base(found.funding)} a day: {even} pay for entering and leaving it"
    elif found.move:
        share = decimal_of(found.move * 100, 18, 3)
        even = f"{share} % a day"
        line = f"the hedge costs {_base(-found.funding)} a day: a fall of {share} % in a day is worth as much"
    else:
        even, line = "–", "the hedge costs no funding now"
    earned = f"supplied {_base(found.supplied)}, borrowed {_base(-found.borrowed)}, funding {_base(found.funding)}"
    return {
        "per_day_usd": decimal_of(found.per_day, 8, 2),
        "supply_per_day_usd": decimal_of(found.supplied, 8, 2),
        "borrow_per_day_usd": decimal_of(-found.borrowed, 8, 2),
        "funding_per_day_usd": decimal_of(found.funding, 8, 2),
        "enter_and_leave_usd": decimal_of(found.to_open, 8, 2),
        "per_day": _base(found.per_day),
        "break_even": even,
        "lines": [
            f"carry {_base(found.per_day)} a day: {earned}",
            f"{line}; entering and leaving costs about {_base(found.to_open)}",
        ],
    }


def _base(dollars: int) -> str:
    """Return dollars for people; less than a cent is nothing."""
    cents = abs(dollars) // 10**6 * 10**6
    return usd_text(-cents if dollars < 0 and cents else cents)
