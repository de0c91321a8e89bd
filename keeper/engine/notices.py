"""What a lending position's owner reads: which rule, measured against which bound, how near liquidation, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.decide import Hold
from keeper.core.lending import figures as lending
from keeper.core.lending.metrics import LendingTrigger, health_at
from keeper.core.lending.rules import LendingAssessment, Rule
from keeper.core.metrics import P
from keeper.core.notices import Notice, sentence
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged, Verdict
from keeper.core.scales import percent
from keeper.core.snapshot import Holding
from keeper.core.units import BPS, INFINITE, WAD, mul_div_down, mul_div_up, ratio_text, usd_text

MOST_DETAIL = 240
"""Characters of a detail that an alarm repeats; the journal has all of it."""


def notices_of(assessed: LendingAssessment | Unjudged, holds: Sequence[Hold]) -> tuple[Notice, ...]:
    """Return each hold in words."""
    return tuple(_notice(assessed, hold) for hold in holds)


def _notice(assessed: LendingAssessment | Unjudged, hold: Hold) -> Notice:
    if hold.reason is Reason.HEALTHY:
        return Notice(hold, "", "", "")  # of which nobody hears: it is not put in words at every block
    return _unjudged(hold) if isinstance(assessed, Unjudged) else _judged(assessed, hold)


def standing_of(assessed: LendingAssessment | Unjudged) -> str:
    """Return how a position stands: health, dollars, liquidation price and distance; empty where nobody knows."""
    if isinstance(assessed, Unjudged):
        return sentence(Reason.CLOSED.short) if assessed.doubt.reason is Reason.CLOSED else ""
    figures = assessed.figures
    if not figures.debt_value:
        return sentence(f"no debt, collateral {usd_text(figures.collateral_value)}")
    health = f"health factor {ratio_text(figures.health_factor)}"
    dollars = f"collateral {usd_text(figures.collateral_value)}, debt {usd_text(figures.debt_value)}"
    return sentence(f"{health}, {dollars}", _liquidation(assessed))


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


def _judged(assessed: LendingAssessment, hold: Hold) -> Notice:
    verdict = next((v for v in assessed.verdicts if v.rule.name == hold.rule), None)
    fired = fired_text(verdict) if verdict and verdict.fired else ""
    is_alert = verdict is not None and hold.reason is Reason.ALERT_ONLY
    return hold_notice(
        hold,
        hold.position,
        fired,
        standing_of(assessed),
        _advice(assessed, verdict.rule) if verdict and is_alert else "",
        repeat_s=verdict.rule.cooldown_s or None if verdict and is_alert else None,
        distance=lending.liquidation_distance(assessed.figures) if assessed.figures.debt_value else None,
    )


def _advice(assessed: LendingAssessment, rule: Rule) -> str:
    """Return what the owner of an alert can do: how many dollars bring the position back, where the figures say."""
    health = _health_wanted(rule.trigger, assessed)
    if health is None:
        return f"decide yourself, or give rule {rule.name} an action"
    of = assessed.figures
    carried = of.collateral_value * of.average_threshold // BPS
    repay = of.debt_value - mul_div_down(carried, WAD, health)
    supply = mul_div_up(mul_div_up(of.debt_value, health, WAD), BPS, max(1, of.average_threshold)) - of.collateral_value
    if repay <= 0 or supply <= 0:
        return f"decide yourself, or give rule {rule.name} an action"
    bound = f"{rule.trigger.subject} {rule.trigger.metric.shown(rule.trigger.bound)}"
    return f"repay about {usd_text(repay)} or supply about {usd_text(supply)} to be back at {bound}"


def _health_wanted(trigger: LendingTrigger, assessed: LendingAssessment) -> int | None:
    """Return the health factor at which a trigger rests; None where no health factor says."""
    if trigger.side is not trigger.metric.risk and trigger.metric.risk is not None:
        return None
    health = health_at(assessed.figures, trigger.metric, trigger.bound)
    return None if health is None or health >= INFINITE else health


def _liquidation(assessed: LendingAssessment) -> str:
    """Return the price of the largest collateral at which the position is liquidated, and how far that is."""
    if assessed.figures.health_factor < WAD:
        return "it can be liquidated now"
    secured = [h for h in assessed.position.held if h.is_collateral and h.supplied]
    largest = max(secured, key=lambda r: _worth(assessed, r), default=None)
    low = lending.liquidation_price(assessed.account, largest.asset) if largest else None
    distance = percent(lending.liquidation_distance(assessed.figures))
    if largest is None or low is None:
        return f"liquidation when all collateral falls by {distance}"
    return (
        f"liquidation when {largest.symbol} falls to {usd_text(low)}, "
        f"{percent(_fall(largest.price.answer, low))} below {usd_text(largest.price.answer)}"
    )


def _fall(price: int, low: int) -> int:
    return mul_div_down(max(0, price - low), WAD, price) if price > 0 else 0


def _worth(assessed: LendingAssessment, of: Holding) -> int:
    return of.usd_down(assessed.account.of(of.asset).supplied)
