"""What an owner reads has amounts with symbols, dollars and bounds: never a raw integer, never a bare code."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from core_builders import assessed, intent, loop, quoted, rule, state, terms, wad
from perp_builders import (
    assessed_perp,
    book_assessed,
    hedge_intent,
    hedge_planned,
    long,
    perp_intent,
    perp_rule,
    planned,
    short,
)

from keeper.core.decide import Hold
from keeper.core.lending import actions
from keeper.core.lending.plan import Plan, plans
from keeper.core.perp.moves import CancelOrder, PerpMove, PlaceOrder, UpdateOrder
from keeper.core.perp.position import OrderKind, PerpLeg
from keeper.core.prices import SecondPrice, price_doubts
from keeper.core.reasons import Reason
from keeper.core.units import Address, Bps
from keeper.engine.lending.deeds import outcome_said
from keeper.engine.lending.notices import loan_notices as notices_of
from keeper.engine.perp.notices import book_notices, perp_notices
from keeper.engine.perp.notices import outcome_said as perp_said
from keeper.engine.perp.upkeep import plan_of
from keeper.execution.outcome import Outcome, PerpOutcome

RAW = re.compile(r"(?<![\w.])\d{6,}(?![\w])")
LOUD = [r for r in Reason if not Hold("p", "r", r).is_quiet]


def readable(title: str, body: str) -> str:
    text = f"{title} {body}"
    assert not RAW.search(text), text
    assert "()" not in text, text
    assert ".." not in text, text
    assert len(title) <= 160, title
    assert len(body) <= 900, body
    return text


def lending_plan(dollars: str = "15000") -> Plan:
    meant = intent(loop(dollars=dollars), rule(actions=(actions.DELEVERAGE,)))
    now = state(meant)
    found = plans(meant, now, quoted(meant, now, terms()), {})
    assert isinstance(found, tuple), found
    return found[0]


@pytest.mark.parametrize("reason", LOUD)
def test_every_reason_reads_well_of_every_kind_of_position(reason: Reason) -> None:
    """Lending, perpetual, book: the position, the rule, why, and what can be done."""
    lent, perp, book = (
        assessed(loop(), rule()),
        assessed_perp(short(margin="700"), perp_rule()),
        book_assessed(short("5")),
    )
    detail = "x " * 400
    for found in (
        notices_of(lent, (Hold("loop", rule().name, reason, detail),)),
        perp_notices(perp, (Hold("short", perp_rule().name, reason, detail),)),
        book_notices(book, (Hold("eth", book.rule.name, reason, detail),)),
    ):
        text = readable(found[0].title, found[0].body)
        assert found[0].hold.position in found[0].title
        assert reason.remedy.rstrip(".")[1:] in text or reason is Reason.ALERT_ONLY, text


@pytest.mark.parametrize("kind", ["restored", "partial", "failed", "cancelled", "rehearsed"])
def test_what_was_done_is_said_with_amounts_and_dollars_before_and_after(kind: str) -> None:
    """Sold, repaid, health factor and dollars; what failed says why."""
    plan = lending_plan()
    reason = {"restored": Reason.RESTORED, "partial": Reason.PARTIAL}.get(kind, Reason.REVERTED)
    title, body = outcome_said(plan, Outcome(kind, reason, "why", plan.projected, ("0x" + "ab" * 32,)))  # type: ignore[arg-type]
    text = readable(title, body)
    for words in ("loop", f"rule {rule().name}", "health factor", " WETH for ", " USDC", "$15,000.00 → $"):
        assert words in text, text
    assert "back at its target" not in text


def test_a_boost_is_no_rescue() -> None:
    """Leverage was added; nothing is back at a target."""
    plan = lending_plan()
    boost = replace(plan.intent.rule, actions=(actions.LEVERAGE_UP,), name="boost")
    raised = replace(plan, intent=replace(plan.intent, rule=boost))
    title, _ = outcome_said(raised, Outcome("restored", Reason.RESTORED, "", plan.projected))
    assert "rule boost added leverage" in title
    assert "helped" not in title


def test_help_in_part_is_said_as_help() -> None:
    """And not as a failure."""
    plan = lending_plan()
    title, body = outcome_said(plan, Outcome("partial", Reason.PARTIAL, "", plan.projected))
    assert "helped in part" in title
    assert "why:" not in body.lower()


def test_a_plan_that_stopped_half_way_does_not_say_that_all_of_it_was_done() -> None:
    """The price moved after some rounds: what was meant is called that, and the figures say how far it came."""
    plan = lending_plan()
    _, body = outcome_said(plan, Outcome("partial", Reason.PRICE_MOVED, "", plan.projected))
    assert "In part done: sell " in body
    assert "Sold " not in body
    _, whole = outcome_said(plan, Outcome("partial", Reason.PARTIAL, "", plan.projected))
    assert "Sold " in whole


def test_a_perpetual_plan_is_said_with_its_size_and_price() -> None:
    """Which side, how much, at what price, and where liquidation is now."""
    plan = planned(perp_intent(short(margin="700")))[0]
    for kind in ("restored", "partial", "failed"):
        title, body = perp_said(plan, PerpOutcome(kind, Reason.RESTORED, "", plan.projected))  # type: ignore[arg-type]
        text = readable(title, body)
        assert "margin ratio" in (title if kind != "failed" else body).lower()
        assert "liquidation at $" in text
        assert "short" in text


def test_a_hedge_is_said_with_its_delta_and_its_trade() -> None:
    """The book, the rule, the band, the trade."""
    plan = hedge_planned(hedge_intent(short("5", margin="9000")))
    title, body = perp_said(plan, PerpOutcome("restored", Reason.RESTORED, "", plan.projected))
    text = readable(title, body)
    assert "eth" in title
    assert "outside ±0.5000" in text


def placed(leg: PerpLeg) -> PlaceOrder:
    return PlaceOrder(OrderKind.STOP_LOSS, leg.market, leg.is_long, leg.entry_notional, leg.index_price, 1)


def changed(leg: PerpLeg) -> UpdateOrder:
    return UpdateOrder("0x01", leg.entry_notional, leg.index_price, 1)


@pytest.mark.parametrize(
    ("move", "words"),
    [
        (placed, "placed a stop loss order at $2,000.00 for $6,000.00"),
        (changed, "changed a resting order: now at $2,000.00"),
        (lambda _: CancelOrder("0x01"), "took an order back"),
    ],
)
def test_an_order_left_with_the_venue_is_said_as_that(move: Callable[[PerpLeg], PerpMove], words: str) -> None:
    """A stop that is placed is not a position back at its target."""
    position = long()
    plan = plan_of(position, perp_rule(), move(position.legs[0]))
    title, body = perp_said(plan, PerpOutcome("restored", Reason.RESTORED, "", position))
    assert words in readable(title, body)
    assert "target" not in title
    failed, _ = perp_said(plan, PerpOutcome("failed", Reason.REVERTED, "why", position))
    assert "failed" in failed


def test_doubts_of_prices_are_said_in_dollars() -> None:
    """An oracle's integers are nobody's business at three in the morning."""
    price = assessed(loop(), rule()).position.holdings[0].price
    second = SecondPrice(Address(price.asset), "uniswap_v3", (9_651_207_000_000, 9_651_207_000_001))
    doubts = price_doubts(replace(price, answer=9_000_000_000_000), second, Bps(100), (price.updated_at or 0) + 1)
    assert "oracle $90,000.00, uniswap_v3 $96,512.07" in doubts[-1].detail
    assert not RAW.search(doubts[-1].detail)


def test_the_gravest_alert_says_what_brings_it_back() -> None:
    """For each measure of which the figures tell."""
    found = assessed(loop(), rule(target=None, actions=()))
    (notice,) = notices_of(found, (Hold("loop", rule().name, Reason.ALERT_ONLY),))
    assert re.search(r"Repay about \$[\d,.]+ or supply about \$[\d,.]+ to be back at health factor", notice.body)
    assert found.figures.health_factor < wad("1.25")
