"""What a rule about a perpetual position looks at, when it fires, and what makes a position unjudged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import OWNER, wad
from hypothesis import given
from hypothesis import strategies as st
from perp_builders import DOUBT, PerpMetric, assessed_perp, leg_at, long, perp_rule, short, to_margin, told
from perp_strategies import a_position, positions

from keeper.core.metrics import Trigger
from keeper.core.perp import margin as perps
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.kind import PERP
from keeper.core.perp.metrics import PerpTrigger, closed
from keeper.core.perp.position import FACTOR, PerpPosition
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged, Verdict, assess, too_late
from keeper.core.snapshot import Unreadable
from keeper.core.trail import Trail
from keeper.core.units import INFINITE, USD, WAD, mul_div_up
from keeper.settings.rule_terms import side_faults

RATIOS = (perp_metrics.MARGIN_RATIO, perp_metrics.LEVERAGE, perp_metrics.LIQUIDATION_DISTANCE)
PRICES = (perp_metrics.STOP_LOSS, perp_metrics.TAKE_PROFIT, perp_metrics.TRAILING_STOP)


def on(metric: PerpMetric, bound: int) -> PerpTrigger:
    return Trigger(metric, metric.sides[0], bound)


def verdict(of: PerpPosition, measure: PerpMetric, bound: str, trail: Trail | None = None, **rule: object) -> object:
    (found,) = assessed_perp(of, perp_rule(measure, bound, **rule), trail=trail).verdicts  # type: ignore[arg-type]
    return found


def fired(of: PerpPosition, measure: PerpMetric, bound: str, trail: Trail | None = None, **rule: object) -> bool:
    found = verdict(of, measure, bound, trail, **rule)
    assert isinstance(found, Verdict)
    return found.fired


@pytest.mark.parametrize(
    ("measure", "fires_at", "rests_at"),
    [
        (perp_metrics.MARGIN_RATIO, "0.1667", "0.1666"),
        (perp_metrics.LEVERAGE, "5.99", "6.01"),
        (perp_metrics.LIQUIDATION_DISTANCE, "0.12", "0.09"),
    ],
)
def test_an_account_is_judged_by_margin_leverage_and_distance(
    measure: PerpMetric, fires_at: str, rests_at: str
) -> None:
    """3 ETH short with 1,000 dollars: a sixth, six times, a tenth away."""
    assert fired(short(), measure, fires_at)
    assert not fired(short(), measure, rests_at)


def test_a_bound_that_is_just_met_does_not_fire() -> None:
    """Below is below, above is above: a plan that lands on the bound rests."""
    exact = short(margin="1200")
    assert not fired(exact, perp_metrics.MARGIN_RATIO, "0.20")
    assert not fired(exact, perp_metrics.LEVERAGE, "5")


@pytest.mark.parametrize(
    ("measure", "side", "price", "fires_"),
    [
        (perp_metrics.STOP_LOSS, long, "1800", True),
        (perp_metrics.STOP_LOSS, long, "1801", False),
        (perp_metrics.STOP_LOSS, short, "1800", True),
        (perp_metrics.STOP_LOSS, short, "1799", False),
        (perp_metrics.TAKE_PROFIT, long, "1800", True),
        (perp_metrics.TAKE_PROFIT, long, "1799", False),
        (perp_metrics.TAKE_PROFIT, short, "1800", True),
        (perp_metrics.TAKE_PROFIT, short, "1801", False),
    ],
)
def test_a_stop_fires_on_the_losing_side_and_a_profit_on_the_winning_one(
    measure: PerpMetric, side: object, price: str, *, fires_: bool
) -> None:
    """Mirrored for a short; at the price itself it fires."""
    position = side(price=price)  # type: ignore[operator]
    assert fired(position, measure, "1800") is fires_


@pytest.mark.parametrize(("side", "best"), [(long, 2000), (short, 2000)])
def test_a_trailing_stop_fires_once_the_share_is_lost(side: object, best: int) -> None:
    """Eight hundredths from the best, on either side, rounded against the position."""
    trail = Trail(best={"margin": best * USD})
    near, far = ("1841", "1840") if side is long else ("2159", "2160")
    assert not fired(side(price=near), perp_metrics.TRAILING_STOP, "0.08", trail)  # type: ignore[operator]
    assert fired(side(price=far), perp_metrics.TRAILING_STOP, "0.08", trail)  # type: ignore[operator]


def test_a_trailing_stop_without_a_best_price_waits() -> None:
    """It has nothing to trail behind yet."""
    assert not fired(long(price="1"), perp_metrics.TRAILING_STOP, "0.08")


@pytest.mark.parametrize("measure", PRICES)
@pytest.mark.parametrize("side", [long, short])
def test_a_price_that_is_none_fires_nothing_and_is_told(measure: PerpMetric, side: object) -> None:
    """Zero is below every long's stop; for a short it would be silence."""
    position = side()  # type: ignore[operator]
    (leg,) = position.legs
    blind = told(position.with_leg(replace(leg, oracle=replace(leg.oracle, answer=0))))
    found = verdict(blind, measure, "0.08", Trail(best={"margin": 2000 * USD}))
    assert isinstance(found, Verdict)
    assert not found.fired
    assert found.doubt
    assert found.doubt.reason is Reason.PRICE_NOT_POSITIVE


def test_a_position_without_size_fires_nothing() -> None:
    """Margin alone is no danger."""
    flat = short(size="0")
    assert not any(fired(flat, m, "0.9") for m in perp_metrics.METRICS.values() if m.sides)


TWO = told(a_position(leg_at("1", "2000"), leg_at("-1", "2000", "BTC"), margin=wad("1000")))


def test_with_several_markets_a_stop_must_name_one() -> None:
    """Which one was meant is the owner's to say."""
    found = verdict(TWO, perp_metrics.STOP_LOSS, "1900")
    assert isinstance(found, Verdict)
    assert found.doubt
    assert found.doubt.reason is Reason.RULE_UNDECIDABLE
    assert fired(TWO, perp_metrics.STOP_LOSS, "1900", market="BTC")
    assert not fired(TWO, perp_metrics.STOP_LOSS, "1900", market="eth")


def test_a_named_market_that_was_closed_is_quiet_and_one_that_never_was_is_told() -> None:
    """A stop that did its work does not cry for ever; a name misspelt does."""
    closed = told(a_position(leg_at("1", "2000"), leg_at("0", "2000", "BTC")))
    (done,) = assessed_perp(closed, perp_rule(perp_metrics.STOP_LOSS, "1900", market="BTC")).verdicts
    assert (done.fired, done.doubt) == (False, None)
    (wrong,) = assessed_perp(closed, perp_rule(perp_metrics.STOP_LOSS, "1900", market="BTCC")).verdicts
    assert wrong.doubt
    assert wrong.doubt.reason is Reason.RULE_UNDECIDABLE


@pytest.mark.parametrize("name", ["ETH", "eth", None])
def test_an_exit_is_not_met_while_its_market_has_a_size(name: str | None) -> None:
    """However the market is written: a closed-by-name position that is open would never be closed."""
    assert not closed(name).is_met(short())
    assert closed("BTC").is_met(short())
    assert closed(name).is_met(short(size="0"))


def test_figures_that_differ_from_the_venue_leave_it_unjudged() -> None:
    """By one unit, either figure."""
    position = short()
    for wrong in (
        replace(position.reported, equity=position.reported.equity + 1),
        replace(position.reported, requirement=position.reported.requirement - 1),
    ):
        found = assess(PERP, replace(position, reported=wrong), (), ())
        assert isinstance(found, Unjudged)
        assert found.doubt.reason is Reason.FIGURES_DISAGREE


def test_what_could_not_be_read_is_unjudged() -> None:
    """With its own doubt."""
    assert assess(PERP, Unreadable("short", OWNER, DOUBT), (), ()) == Unjudged("short", DOUBT)


def test_nothing_there_is_a_mistake_unless_it_may_be_empty() -> None:
    """A wrong owner looks just like it."""
    nothing = told(a_position(leg_at("0", "2000"), margin=0))
    found = assess(PERP, nothing, (), ())
    assert isinstance(found, Unjudged)
    assert found.doubt.reason is Reason.NO_POSITION
    assert not isinstance(assess(PERP, nothing, (), (), may_be_empty=True), Unjudged)


def test_a_rule_that_rests_where_the_venue_liquidates_comes_too_late() -> None:
    """Told as margin or as leverage; a distance is none at all by then."""
    least = short().maintenance * WAD // FACTOR
    late = [
        on(perp_metrics.MARGIN_RATIO, least),
        on(perp_metrics.LEVERAGE, WAD * WAD // least),
    ]
    early = [
        on(perp_metrics.MARGIN_RATIO, least + 1),
        on(perp_metrics.LEVERAGE, WAD * WAD // least - 1),
        on(perp_metrics.LIQUIDATION_DISTANCE, 1),
        on(perp_metrics.STOP_LOSS, 1),
    ]
    said = [too_late(PERP, replace(perp_rule(), trigger=t), short()) is not None for t in (*late, *early)]
    assert said == [True] * len(late) + [False] * len(early)


def test_rules_of_other_positions_are_not_asked() -> None:
    """Each its own."""
    assert assessed_perp(short(), perp_rule(position="other")).verdicts == ()


@pytest.mark.parametrize(
    ("measure", "bound", "target", "is_wrong"),
    [
        (perp_metrics.MARGIN_RATIO, "0.20", "0.20", True),
        (perp_metrics.MARGIN_RATIO, "0.20", "0.21", False),
        (perp_metrics.LEVERAGE, "5", "0.20", True),
        (perp_metrics.LEVERAGE, "5", "0.21", False),
        (perp_metrics.FUNDING, "0.5", "0.20", False),
    ],
)
def test_a_target_that_leaves_the_rule_firing_is_known(
    measure: PerpMetric, bound: str, target: str, *, is_wrong: bool
) -> None:
    """Where trigger and target alone tell."""
    trigger = on(measure, wad(bound))
    assert bool(list(side_faults(trigger, to_margin(wad(target))))) is is_wrong
    assert not list(side_faults(trigger, closed()))
    assert not list(side_faults(trigger, None))


@given(positions(), st.integers(1, 10**19))
def test_leverage_and_margin_ratio_fire_together(position: PerpPosition, bound: int) -> None:
    """Leverage above L is a margin ratio below 1 / L, but for rounding, which is against us in both."""
    ratio, leverage = perps.margin_ratio(position), perps.leverage(position)
    if on(perp_metrics.MARGIN_RATIO, bound).fires_at(ratio):
        assert leverage == INFINITE or leverage * bound >= WAD * WAD - bound * 2


@given(positions())
def test_beyond_the_liquidation_price_no_distance_is_left(position: PerpPosition) -> None:
    """Any bound on the distance fires then."""
    if perps.is_liquidatable(position):
        assert on(perp_metrics.LIQUIDATION_DISTANCE, 1).fires_at(perps.liquidation_distance(position))


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_what_was_lost_since_the_best_is_never_told_too_small(best: int, price: int) -> None:
    """Rounded up, zero at a new best."""
    (leg,) = long().legs
    at = replace(leg, oracle=replace(leg.oracle, answer=price))
    (found,) = assessed_perp(
        told(a_position(at)), perp_rule(perp_metrics.TRAILING_STOP), trail=Trail(best={"margin": best})
    ).verdicts
    assert found.measured == (mul_div_up(best - price, WAD, best) if price < best else 0)


def test_measured_values_are_told_for_people() -> None:
    """Prices as prices, signs kept, unknown as such."""
    assert perp_metrics.STOP_LOSS.text(1_234 * USD) == "price $1,234.00"
    assert perp_metrics.FUNDING.text(-WAD // 2) == "funding -0.5000"
    assert perp_metrics.MARGIN_RATIO.text(None) == "margin_ratio unknown"
    assert perp_metrics.LEVERAGE.text(INFINITE) == "leverage ∞"
