"""What the keeper did about loop, short and book, in words."""

from decimal import Decimal
from typing import Any

from keeper.core.reasons import Reason
from keeper.journal import Decision
from sandbox.demo_diary import HASH, Entry, told
from sandbox.hedge_settings import BOOK, LOOP, SHORT, TWIN

CALLED = {LOOP: "loop", TWIN: "loop not hedged", SHORT: "short", BOOK: "book"}


def told_of_book(decision: Decision) -> Entry | None:
    """None for a quiet hold. Lending positions are told as in the other demo, with who is meant."""
    who = CALLED.get(decision.position, decision.position)
    plan: Any = decision.plan
    if decision.kind != "act" or not isinstance(plan, dict) or decision.position in (LOOP, TWIN):
        entry = told(decision)
        return entry and Entry(entry.timestamp, f"{who}: {entry.text}", entry.went_well)
    outcome: Any = decision.outcome
    deed = plan["label"].removesuffix(f" on {SHORT}")
    if outcome is None:
        return Entry(decision.block_timestamp, f"{who}: {_before(decision)}: {deed} …", None)
    if decision.outcome_kind in ("restored", "partial"):
        return Entry(decision.block_timestamp, f"{who}: {_change(decision)}: {deed}", went_well=True)
    why = HASH.sub("", outcome["detail"]) or Reason(outcome["reason"]).short
    return Entry(decision.block_timestamp, f"{who}: {_before(decision)}: {deed}; {why}", went_well=False)


def _before(decision: Decision) -> str:
    plan: Any = decision.plan
    if decision.position == BOOK:
        inputs: Any = decision.inputs
        return f"delta {Decimal(inputs['position']['delta']):+.2f}"
    return f"margin {_ratio(plan['before'])}"


def _change(decision: Decision) -> str:
    outcome: Any = decision.outcome
    if decision.position == BOOK or not outcome["after"]:
        return _before(decision)
    return f"{_before(decision)} → {_ratio(outcome['after'])}"


def _ratio(figures: dict[str, Any]) -> str:
    found = figures["margin_ratio"]
    return "∞" if found is None else f"{Decimal(found):.1%}"
