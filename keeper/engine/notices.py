"""What the owner reads of a hold, whatever it is about: which rule, measured against which bound, what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keeper.core.decide import Hold
from keeper.core.metrics import P
from keeper.core.notices import Notice, sentence
from keeper.core.reasons import Reason
from keeper.core.rules import Assessment, Unjudged, Verdict

A = TypeVar("A", bound=Assessment[Any])
MOST_DETAIL = 240
"""Characters of a detail that an alarm repeats; the journal has all of it."""


@dataclass(frozen=True, slots=True)
class Wording(Generic[A]):
    """How one kind of thing reads: all that differs between the notices of loans, perpetual positions and books."""

    fired: Callable[[A, Verdict[Any]], str]
    """What fired, measured against its bound; empty where it did not."""
    beside: Callable[[A], str]
    """How it stands, beside what fired."""
    advice: Callable[[A, Verdict[Any]], str]
    """What the owner of an alert can do."""
    distance: Callable[[A], int | None] = lambda _: None
    """How far it is from liquidation; None where nothing liquidates it."""


def notices_of(assessed: A | Unjudged, holds: Sequence[Hold], wording: Wording[A]) -> tuple[Notice, ...]:
    """Return each hold in words; of what is at rest there is nothing to say, block by block."""
    return tuple(_notice(assessed, hold, wording) for hold in holds)


def _notice(assessed: A | Unjudged, hold: Hold, wording: Wording[A]) -> Notice:
    if hold.reason is Reason.HEALTHY:
        return Notice(hold, "", "", "")
    if isinstance(assessed, Unjudged):
        return _unjudged(hold)
    verdict = next((v for v in assessed.verdicts if v.rule.name == hold.rule), None)
    fired = wording.fired(assessed, verdict) if verdict else ""
    is_alert = verdict is not None and hold.reason is Reason.ALERT_ONLY
    return hold_notice(
        hold,
        hold.position,
        fired,
        wording.beside(assessed),
        wording.advice(assessed, verdict) if verdict and is_alert else "",
        repeat_s=verdict.rule.cooldown_s or None if verdict and is_alert else None,
        distance=wording.distance(assessed),
    )


def if_fired(_: object, verdict: Verdict[Any]) -> str:
    """Return what fired, in words; nothing where it did not."""
    return fired_text(verdict) if verdict.fired else ""


def fired_text(verdict: Verdict[P]) -> str:
    """Return a measure against its bound: ``health factor 1.6523 is below 1.70``."""
    return verdict.rule.trigger.text(verdict.measured)


def clipped(detail: str, most: int = MOST_DETAIL) -> str:
    """Return a detail that fits in an alarm."""
    return detail if len(detail) <= most else f"{detail[: most - 1].rstrip()}…"


def hold_notice(hold: Hold, subject: str, fired: str, standing: str, advice: str, **more: float | None) -> Notice:
    """Return a hold of a fired rule in words: the same for whatever is kept."""
    title, why = _title(hold, subject, fired), _why(hold, fired)
    rule = f"rule {hold.rule}" if hold.rule else ""
    first = f"{rule}: {fired}" if rule and fired else rule
    is_said = hold.reason is Reason.ALERT_ONLY and bool(fired)  # in the title, word by word
    body = sentence("" if is_said else first, standing, why, advice or hold.reason.remedy)
    name = f"{subject}: {rule or hold.reason.short}: {_over(hold)}"
    return Notice(hold, title, body, name, more.get("repeat_s"), _whole(more.get("distance")))


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _title(hold: Hold, subject: str, fired: str) -> str:
    match hold.reason:
        case Reason.ALERT_ONLY:
            return f"{subject}: {fired} (rule {hold.rule})"
        case Reason.COOLDOWN:
            return f"{subject}: rule {hold.rule} fires again during its cooldown"
        case _ if hold.leaves_in_danger:
            return f"{subject}: rule {hold.rule} cannot help: {hold.reason.short}"
        case _:
            return f"{subject}: {hold.reason.short}"


def _why(hold: Hold, fired: str) -> str:
    match hold.reason:
        case Reason.ALERT_ONLY:
            return "" if fired else hold.detail
        case Reason.COOLDOWN:
            return f"the cooldown holds the rescue back, {clipped(hold.detail)}"
        case _:
            return f"why: {hold.reason.short}{f' ({clipped(hold.detail)})' if hold.detail else ''}"


def _over(hold: Hold) -> str:
    return "no longer fires" if hold.rule else "no longer so"


def _unjudged(hold: Hold) -> Notice:
    title = f"{hold.position}: {hold.reason.short}"
    body = sentence(clipped(hold.detail), "its rules are not judged until this is over", hold.reason.remedy)
    return Notice(hold, title, body, f"{hold.position}: it can be judged again")
