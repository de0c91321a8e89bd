"""A rule whose plan was cut short fires until its target is met, be it a loan's or a perpetual position's."""

from __future__ import annotations

import pytest
from core_builders import above, rule, to_ltv, wad
from perp_builders import assessed_perp, book_assessed, hedge_rule, perp_rule, short, to_margin

from keeper.core.carry_on import until_target
from keeper.core.lending.market_metrics import BORROW_RATE
from keeper.core.lending.metrics import LTV
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.metrics import closed
from keeper.core.units import WAD


def fires(ratio_at: str, *, carried: bool) -> bool:
    """Whether a rule from 0.12 to 0.20 fires on a short of 6,000 dollars with so much margin."""
    one = perp_rule(bound="0.12", to="0.20")
    return bool(assessed_perp(short(margin=ratio_at), until_target(one) if carried else one).fired)


def test_a_margin_half_way_is_restored_to_its_target() -> None:
    """At a ratio of 0.15 the trigger is past and the target is not met: only a rule that carries on fires."""
    assert fires("600", carried=False)
    assert not fires("900", carried=False)
    assert fires("900", carried=True)
    assert not fires("1190", carried=True), "two percent short of the target is met: funding makes no other plan"


def test_leverage_half_way_is_brought_down_to_its_target() -> None:
    """The same, told as leverage."""
    one = perp_rule(perp_metrics.LEVERAGE, "8", to="0.20")
    assert until_target(one).trigger.bound == WAD * WAD // (wad("0.20") * 98 // 100)
    assert not assessed_perp(short(margin="900"), one).fired
    assert assessed_perp(short(margin="900"), until_target(one)).fired


@pytest.mark.parametrize("to", [closed(), None, to_margin(wad("0"))])
def test_a_stop_waits_for_its_price(to: object) -> None:
    """What it closed half of is closed on when the price is there again."""
    one = perp_rule(perp_metrics.STOP_LOSS, "2500", to=to)  # type: ignore[arg-type]
    assert until_target(one) == one


@pytest.mark.parametrize(("target", "outside", "inside"), [("0", ("9.8", "10.2"), "9.96"), ("0.25", ("9.6",), "9.8")])
def test_a_book_half_way_is_brought_to_its_target(target: str, outside: tuple[str, ...], inside: str) -> None:
    """Back in its band and not yet at its target: as near as is worth a trade counts as done."""
    one = hedge_rule(target=target)
    for size in outside:
        assert not book_assessed(short(size, margin="20000"), one).fired
        assert book_assessed(short(size, margin="20000"), until_target(one)).fired
    assert not book_assessed(short(inside, margin="20000"), until_target(one)).fired


def test_a_loan_to_value_half_way_is_brought_down_to_its_target() -> None:
    """Whatever metric the two are of; a price and a rate wait for their own."""
    one = rule(trigger=above(LTV, wad("0.70")), to=to_ltv(wad("0.50")))
    assert until_target(one).trigger.bound == wad("0.50") * 100 // 98
    assert until_target(rule(trigger=above(BORROW_RATE, wad("0.08")), to="1.60")).trigger.bound == wad("0.08")


def test_a_trigger_beyond_the_target_is_not_pulled_back() -> None:
    """Carrying on never makes a rule deafer."""
    assert until_target(perp_rule(bound="0.30", to="0.20")).trigger.bound == wad("0.30")
    assert until_target(rule("1.25", "1.60")).trigger.bound == wad("1.60") * 98 // 100
