"""How a lending position reads in an alarm: how near liquidation it is, and how many dollars bring it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keeper.core.decide import Hold
from keeper.core.lending import figures as lending
from keeper.core.lending.metrics import LendingTrigger, health_at
from keeper.core.lending.rules import LendingAssessment
from keeper.core.notices import Notice, sentence
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged, Verdict
from keeper.core.scales import percent
from keeper.core.snapshot import Holding
from keeper.core.units import BPS, INFINITE, WAD, mul_div_down, mul_div_up, ratio_text, usd_text
from keeper.engine.notices import Wording, if_fired, notices_of


def loan_notices(assessed: LendingAssessment | Unjudged, holds: Sequence[Hold]) -> tuple[Notice, ...]:
    """Return each hold in words."""
    return notices_of(assessed, holds, WORDING)


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


def _advice(assessed: LendingAssessment, verdict: Verdict[Any]) -> str:
    """Return what the owner of an alert can do: how many dollars bring the position back, where the figures say."""
    rule = verdict.rule
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


def _distance(assessed: LendingAssessment) -> int | None:
    return lending.liquidation_distance(assessed.figures) if assessed.figures.debt_value else None


WORDING: Wording[LendingAssessment] = Wording(if_fired, standing_of, _advice, _distance)
