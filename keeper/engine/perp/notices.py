"""What the owner of a perpetual position or a book reads: rule, measure, bound, liquidation, what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from keeper.core.book import unhedged as legs
from keeper.core.book.rules import BookAssessment, BookIntent, underlying_of
from keeper.core.decide import Hold
from keeper.core.notices import Notice, sentence
from keeper.core.perp import margin as perps
from keeper.core.perp.metrics import MARGIN_RATIO
from keeper.core.perp.moves import (
    AddMargin,
    AllowMargin,
    CancelOrder,
    ClaimFunding,
    PerpMove,
    PlaceOrder,
    TakeMargin,
    Trade,
    UpdateOrder,
)
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.pricing import base_usd, price_base
from keeper.core.perp.rules import PerpAssessment
from keeper.core.rules import Unjudged, Verdict
from keeper.core.scales import percent, trimmed
from keeper.core.units import INFINITE, WAD, Wad, decimal_of, mul_div_down, usd_text
from keeper.engine.lending.deeds import Says, listed, sent_text, title_of
from keeper.engine.notices import Wording, clipped, fired_text, if_fired, notices_of
from keeper.execution.outcome import PerpOutcome

UPKEEP = (PlaceOrder, UpdateOrder, CancelOrder)


def perp_notices(assessed: PerpAssessment | Unjudged, holds: Sequence[Hold]) -> tuple[Notice, ...]:
    """Return each hold about a perpetual position in words."""
    return notices_of(assessed, holds, PERP_WORDING)


def book_notices(assessed: BookAssessment | Unjudged, holds: Sequence[Hold]) -> tuple[Notice, ...]:
    """Return each hold about a book in words."""
    return notices_of(assessed, holds, BOOK_WORDING)


def standing_of(assessed: PerpAssessment | BookAssessment | Unjudged) -> str:
    """Return how a position or a book stands; empty where nobody knows."""
    if isinstance(assessed, Unjudged):
        return ""
    if isinstance(assessed, BookAssessment):
        return "" if assessed.exposure.doubts else sentence(delta_text(assessed))
    return sentence(position_text(assessed.position))


def position_text(of: PerpPosition) -> str:
    """Return margin ratio, dollars, liquidation price and distance."""
    if not of.held:
        return f"no size, equity {dollars(of, perps.equity(of))}"
    ratio = f"margin ratio {percent(min(perps.margin_ratio(of), INFINITE))}"
    worth = f"equity {dollars(of, perps.equity(of))}, size {dollars(of, perps.basis(of))}"
    return f"{ratio}, {worth}, {'; '.join(_leg_text(of, leg) for leg in of.held)}"


def delta_text(of: BookAssessment) -> str:
    """Return a book's delta against its band, and what of the budget for standing naked is used."""
    rule = of.rule
    if not of.holds_delta:
        return rule.trigger.text(of.verdicts[0].measured) if of.is_outside else "the book is within its bound"
    side = "outside" if of.is_outside else "within"
    text = f"delta {_units(of.delta)} {underlying_of(rule)} is {side} ±{_units(rule.trigger.bound)}"
    return text if of.naked.since is None else f"{text}; {legs.budget_text(of.naked, of.exposure.book.budget)}"


def outcome_said(plan: PerpPlan, outcome: PerpOutcome) -> Says:
    """Return what came of a plan, as an alarm says it."""
    intent, rule = plan.intent, plan.intent.rule
    done = [deed for step in plan.steps if (deed := deed_of(plan.before, step.move))]
    change = f"{change_text(plan, outcome.after)}"
    is_well = outcome.kind in ("restored", "partial", "rehearsed")
    if all(isinstance(step.move, UPKEEP) for step in plan.steps):
        how = "" if is_well else f" failed: {outcome.reason.short}"
        rehearsed = " (dry run, nothing was sent)" if outcome.kind == "rehearsed" else ""
        title = f"{intent.position}: {', '.join(done)}{how}{rehearsed}"
    else:
        title = title_of(intent.position, rule.name, outcome.kind, outcome.reason.short, change)
    after = position_text(outcome.after) if outcome.after else ""
    why = "" if is_well else f"why: {outcome.reason.short}{f' ({clipped(outcome.detail)})' if outcome.detail else ''}"
    remedy = "" if outcome.kind in ("restored", "rehearsed") else outcome.reason.remedy
    fired = fired_of(plan)
    return title, sentence(fired, listed(done, outcome.kind), after, why, remedy, sent_text(outcome.hashes))


def fired_of(plan: PerpPlan) -> str:
    """Return which rule asked for a plan, and by which figure."""
    intent = plan.intent
    if isinstance(intent, BookIntent):
        return f"rule {intent.rule.name}: {delta_text(intent.assessment)}"
    verdict = next((v for v in intent.assessment.verdicts if v.rule.name == intent.rule.name and v.fired), None)
    return f"rule {intent.rule.name}: {fired_text(verdict)}" if verdict else ""


def change_text(plan: PerpPlan, after: PerpPosition | None) -> str:
    """Return the figure that was to change, before and after."""
    if isinstance(plan.intent, BookIntent):
        return f"{_units(_traded_for(plan), signed=True)} {underlying_of(plan.intent.rule)} on {plan.before.name}"
    if after is not None and plan.before.held and not after.held:
        return "closed"
    came = percent(perps.margin_ratio(after)) if after else "unknown"
    return f"margin ratio {percent(perps.margin_ratio(plan.before))} → {came}"


def _traded_for(plan: PerpPlan) -> int:
    """Return what a hedge's plan trades, Wad whole underlyings, signed."""
    moves = [(step.move, plan.before.leg(step.move.market)) for step in plan.steps if isinstance(step.move, Trade)]
    return sum(move.size_change * WAD // leg.size_unit for move, leg in moves)


def deed_of(of: PerpPosition, move: PerpMove) -> str:
    """Return what one move does, with its amounts; nothing for what only prepares another."""
    match move:
        case AllowMargin():
            return ""
        case AddMargin():
            return f"added {_margin(of, move.amount)} of margin"
        case TakeMargin():
            return f"took {_margin(of, move.amount)} of margin out"
        case Trade():
            return _traded(of, move)
        case PlaceOrder():
            leg = of.leg(move.market)
            kind, size = move.kind.value.replace("_", " "), dollars(of, move.size_usd)
            return f"placed a {kind} order at {price_text(of, leg, move.trigger_price)} for {size}"
        case UpdateOrder():
            leg = next((of.leg(o.market) for o in of.orders if o.key == move.key), of.legs[0])
            size = dollars(of, move.size_usd)
            return f"changed a resting order: now at {price_text(of, leg, move.trigger_price)} for {size}"
        case CancelOrder():
            return "took an order back"
        case ClaimFunding():
            return "claimed funding"
        case _:
            assert_never(move)


def dollars(of: PerpPosition, amount: int) -> str:
    """Return dollars of a venue's own precision for people."""
    base = base_usd(of, abs(amount))
    return usd_text(-base if amount < 0 else base)


def price_text(of: PerpPosition, leg: PerpLeg, price: int) -> str:
    """Return a price of one whole underlying for people."""
    return usd_text(price_base(of, leg, price))


def size_text(leg: PerpLeg, size: int) -> str:
    """Return a leg's size for people, unsigned."""
    return f"{_units(mul_div_down(abs(size), WAD, leg.size_unit))} {leg.symbol}"


def _delta_fired(assessed: BookAssessment, _: object) -> str:
    return delta_text(assessed) if assessed.is_outside and not assessed.exposure.doubts else ""


def _trade_wanted(assessed: BookAssessment, verdict: Verdict[Any]) -> str:
    if not verdict.fired or not assessed.holds_delta:
        return ""
    wanted = f"{_units(assessed.wanted, signed=True)} {underlying_of(assessed.rule)}"
    return f"trade {wanted}, or give the rule an action"


def _distance(assessed: PerpAssessment) -> int | None:
    return perps.liquidation_distance(assessed.position) if assessed.position.held else None


def _advice(assessed: PerpAssessment, verdict: Verdict[Any]) -> str:
    of, trigger = assessed.position, verdict.rule.trigger
    if trigger.metric is MARGIN_RATIO and of.held:
        missing = dollars(of, perps.margin_to_reach(of, Wad(trigger.bound)))
        return f"add about {missing} of margin to be back at {trigger.metric.shown(trigger.bound)}, or reduce the size"
    return f"decide yourself, or give rule {verdict.rule.name} an action"


def _leg_text(of: PerpPosition, leg: PerpLeg) -> str:
    side = "long" if leg.is_long else "short"
    at = perps.liquidation_price(of, leg.market)
    held = f"{side} {size_text(leg, leg.size)} at {price_text(of, leg, leg.mark_price)}"
    if at is None:
        return f"{held}, no price of its own liquidates it"
    if perps.is_liquidatable(of):
        return f"{held}, it can be liquidated now"
    away = mul_div_down(abs(leg.mark_price - at), WAD, leg.mark_price)
    return f"{held}, liquidation at {price_text(of, leg, at)}, {percent(away)} away"


def _traded(of: PerpPosition, move: Trade) -> str:
    leg = of.leg(move.market)
    side, size = "long" if move.is_long else "short", size_text(leg, move.size_change)
    worst = f"at {price_text(of, leg, move.worst_price)} or better"
    margin = (
        f", with {_margin(of, abs(move.margin))} of margin {'in' if move.margin > 0 else 'out'}" if move.margin else ""
    )
    if move.is_close:
        return f"closed the {side} of {size} {worst}{margin}"
    return f"{'increased' if move.is_increase else 'reduced'} the {side} by {size} {worst}{margin}"


def _margin(of: PerpPosition, amount: int) -> str:
    whole, _, part = trimmed(amount, of.collateral_decimals).partition(".")
    return f"{int(whole):,}.{part} {of.collateral_symbol}"


def _units(amount: int, *, signed: bool = False) -> str:
    text = decimal_of(amount, 18, 4)
    return f"+{text}" if signed and amount > 0 else text


PERP_WORDING: Wording[PerpAssessment] = Wording(if_fired, standing_of, _advice, _distance)
BOOK_WORDING: Wording[BookAssessment] = Wording(_delta_fired, lambda _: "", _trade_wanted)
