"""Rules that look ahead: what they measure, what is unknown, and how far the planner goes for them."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from core_builders import BLOCK, above, at, holding, loop, position, rule, usd, wad
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import HEALTH_FACTOR, meets
from keeper.core.lending.position import Beside, LendingPosition
from keeper.core.lending.risk_metrics import (
    DRAWDOWN,
    EXPECTED_SHORTFALL,
    LIQUIDATION_PROBABILITY,
    LOOKING_AHEAD,
    LOSS_IN_STRESS,
    VALUE_AT_RISK,
    VOLATILITY,
)
from keeper.core.metrics import Subject, Target, Trigger, Widening
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.risk.correlation import Correlations
from keeper.core.risk.jumps import Jumps
from keeper.core.risk.market import Market, Movement
from keeper.core.risk.series import YEAR_S, Series, series
from keeper.core.rules import assess
from keeper.core.scales import Beyond
from keeper.core.trail import NOTHING
from keeper.core.units import WAD, Usd
from keeper.snapshot.screening import FleetTriggers

DAY, HOUR = 86_400, 3600
NONE = Series(())
NOW = BLOCK.timestamp


def hours(*prices: str) -> Series:
    """Prices an hour apart that end now."""
    return series((NOW - (len(prices) - 1 - i) * HOUR, int(Decimal(p) * 10**8)) for i, p in enumerate(prices))


def market(ether: float | Doubt = 0.8, history: Series = NONE, jumps: Jumps | None = None) -> Market:
    drivers = {at(s): s for s in ("WETH", "USDC", "DAI", "WBTC")}
    movements = {
        "WETH": Movement(ether, jumps, HOUR, history, HOUR),
        "WBTC": Movement(0.6, None, HOUR),
        "USDC": Movement(0.01, None, DAY),
        "DAI": Movement(0.01, None, DAY),
    }
    pairs = {
        frozenset((a, b)): 0.8 if {a, b} == {"WETH", "WBTC"} else 0.0 for a in movements for b in movements if a != b
    }
    return Market(NOW, drivers, movements, Correlations(pairs))


def seeing(p: LendingPosition, of: Market | None) -> LendingPosition:
    return replace(p, beside=Beside(market=of))


def measured(metric: object, p: LendingPosition, subject: Subject) -> object:
    return metric.measure(p, NOTHING, subject)  # type: ignore[attr-defined]


USUAL = seeing(loop(), market())


def test_the_probability_is_the_reflection_s_by_hand() -> None:
    """Health 1.1857, 80 % and a day: Φ and its mirror, rounded up."""
    found = measured(LIQUIDATION_PROBABILITY, USUAL, Subject(window_s=DAY))
    spread = math.hypot(0.8, 0.01) * math.sqrt(1 / 365)
    assert isinstance(found, int)
    assert found / WAD == pytest.approx(2 * 0.5 * math.erfc(math.log(1.1857) / spread / math.sqrt(2)), rel=0.2)
    assert measured(LIQUIDATION_PROBABILITY, USUAL, Subject(window_s=7 * DAY)) > found  # type: ignore[operator]


@pytest.mark.parametrize("metric", [m for m in LOOKING_AHEAD if m.looks_ahead], ids=str)
def test_without_a_price_history_nothing_is_measured(metric: object) -> None:
    """Not read, of another asset, too short, or a volatility that is in doubt: a Doubt, and the rule holds."""
    gap = Doubt(Reason.HISTORY_SHORT, "a gap of days")
    for of in (None, Market(NOW), replace(market(gap), drivers={}), market(gap)):
        found = measured(metric, seeing(loop(), of), Subject(window_s=DAY))
        assert isinstance(found, Doubt), of
        verdict = assess(
            LENDING,
            seeing(loop(), of),
            [replace(rule(), trigger=Trigger(metric, Beyond.ABOVE, 1, Subject(window_s=DAY)))],
            (),  # type: ignore[arg-type]
        ).verdicts[0]
        assert not verdict.fired
        assert verdict.doubt is not None


def test_no_debt_has_no_danger_and_no_debt_unseen_is_not_safe() -> None:
    """Zero where the market is known; nothing where it is not."""
    free = position(holding("WETH", "10"))
    assert measured(LIQUIDATION_PROBABILITY, seeing(free, market()), Subject(window_s=DAY)) == 0
    assert measured(LIQUIDATION_PROBABILITY, seeing(free, None), Subject(window_s=DAY)) is None


def test_jumps_that_were_seen_count() -> None:
    """The larger of the two probabilities is the figure."""
    jumps = Jumps(40.0, 0.3, 0.04, 0.08, 0.6, 40)
    far = loop(dollars="10000")
    calm, wild = (
        measured(LIQUIDATION_PROBABILITY, seeing(far, market(0.8, jumps=j)), Subject(window_s=DAY))
        for j in (None, jumps)
    )
    assert wild > 10 * calm  # type: ignore[operator]


@given(st.integers(1_050, 1_900), st.integers(10, 400))
def test_the_target_and_its_health_are_one(thousandths: int, per_mille: int) -> None:
    """The least health for a probability has that probability, and a little less has more."""
    target = Target(LIQUIDATION_PROBABILITY, per_mille * WAD // 1000, Subject(window_s=7 * DAY))
    health = HEALTH_FACTOR.at_target(USUAL, target) if HEALTH_FACTOR.at_target else None
    assert health is not None
    at_health = Target(HEALTH_FACTOR, health, Subject(window_s=7 * DAY))
    back = LIQUIDATION_PROBABILITY.at_target(USUAL, at_health) if LIQUIDATION_PROBABILITY.at_target else None
    assert back is not None
    assert back <= target.value
    assert back == pytest.approx(target.value, rel=1e-3)
    meet = meets(target, USUAL)
    assert meet(replace(USUAL.reported, health_factor=health))
    assert not meet(replace(USUAL.reported, health_factor=health * 999 // 1000))


def test_value_at_risk_and_shortfall_are_the_lognormal_s() -> None:
    """Ten ether at 2,000 dollars, 80 %, a day: what a million draws show."""
    dice = np.random.default_rng(4)
    spread = 0.8 * math.sqrt(1 / 365)
    lost = np.sort(20_000 * (1 - np.exp(dice.normal(-(spread**2) / 2, spread, 1_000_000))))
    var, es = (measured(m, USUAL, Subject(window_s=DAY)) for m in (VALUE_AT_RISK, EXPECTED_SHORTFALL))
    assert isinstance(var, int)
    assert isinstance(es, int)
    assert var / 10**8 == pytest.approx(float(lost[990_000]), rel=0.01)
    assert es / 10**8 == pytest.approx(float(lost[975_000:].mean()), rel=0.01)


def test_several_assets_lose_less_together_than_apart() -> None:
    """What does not move as one is worth something, and what is owed is a hedge."""
    both = position(holding("WETH", "10"), holding("WBTC", "0.4"), holding("USDC", 0, "20000"))
    ether, coin = (
        position(holding("WETH", "10"), holding("USDC", 0, "9000")),
        position(holding("WBTC", "0.4"), holding("USDC", 0, "9000")),
    )
    together, one, other = (
        measured(VALUE_AT_RISK, seeing(p, market()), Subject(window_s=DAY)) for p in (both, ether, coin)
    )
    assert together < one + other  # type: ignore[operator]
    short = position(holding("USDC", "30000"), holding("WETH", 0, "5"))
    assert isinstance(measured(VALUE_AT_RISK, seeing(short, market()), Subject(window_s=DAY)), int)


def test_drawdown_and_volatility_are_of_the_window() -> None:
    """The highest of the window counts, and not what was before."""
    prices = ["3000"] * 30 + ["2000", "2100", "2050", "1995"] * 6 + ["1890"]
    of = seeing(loop(), market(history=hours(*prices)))
    assert measured(DRAWDOWN, of, Subject("WETH", 20 * HOUR)) == WAD * 210 // 2100
    assert measured(DRAWDOWN, of, Subject(None, 40 * HOUR)) == WAD * 1110 // 3000
    moved = measured(VOLATILITY, of, Subject("WETH", 20 * HOUR))
    assert isinstance(moved, int)
    squares = sum(math.log(float(b) / float(a)) ** 2 for a, b in zip(prices[-21:], prices[-20:], strict=False))
    assert moved / WAD == pytest.approx(math.sqrt(squares * YEAR_S / (20 * HOUR)), rel=1e-9)
    assert isinstance(measured(DRAWDOWN, of, Subject("WBTC", HOUR)), Doubt)
    assert isinstance(measured(DRAWDOWN, of, Subject("WETH", 90 * DAY)), Doubt)


def test_a_stress_costs_what_it_takes() -> None:
    """By hand: 10 ether at 2,000 against 14,000. A tenth costs 2,000; two fifths leave 12,000, and all is taken."""
    small = measured(LOSS_IN_STRESS, loop(), Subject(fall=WAD // 10))
    assert small == usd(2_000)
    large = measured(LOSS_IN_STRESS, loop(), Subject(fall=WAD * 2 // 5))
    paid = 12_000 * 10_000 / 10_500
    assert large == pytest.approx(usd(8_000) + round(paid * 500 / 10_000 * 10**8), abs=2)
    assert measured(LOSS_IN_STRESS, position(holding("WETH", "10")), Subject(fall=WAD // 2)) == usd(10_000)


def test_what_is_a_dollar_does_not_fall_with_the_rest() -> None:
    """Only what is none."""
    held = position(holding("USDC", "10000"), holding("DAI", 0, "5000"))
    assert measured(LOSS_IN_STRESS, held, Subject(fall=WAD // 2)) == Usd(0)


def test_a_rule_fires_beyond_its_probability_and_says_it_in_words() -> None:
    """One per cent in a day."""
    of = replace(rule(), trigger=Trigger(LIQUIDATION_PROBABILITY, Beyond.ABOVE, WAD // 100, Subject(window_s=DAY)))
    assert not assess(LENDING, seeing(loop(dollars="9000"), market()), [of], ()).fired
    near = assess(LENDING, seeing(loop(dollars="15800"), market()), [of], ())
    assert near.fired
    assert "probability of liquidation" in of.trigger.text(near.verdicts[0].measured)
    assert "is above 1.00 %" in of.trigger.text(near.verdicts[0].measured)
    assert above(HEALTH_FACTOR, wad("2")).fires_at(wad("3"))


def test_nobody_loses_more_than_is_his_own() -> None:
    """Over a year of storms: the owner may leave the loan to its liquidators."""
    for metric in (VALUE_AT_RISK, EXPECTED_SHORTFALL):
        assert measured(metric, seeing(loop(), market(2.0)), Subject(window_s=365 * DAY)) == usd(6_000)


# --- bounds that widen ------------------------------------------------------------------------------------------------

WIDER = replace(
    rule(below="1.10"),
    trigger=Trigger(HEALTH_FACTOR, Beyond.BELOW, wad("1.10"), widening=Widening(wad("0.2"), wad("1.40"))),
)


def test_a_bound_widens_with_volatility_and_has_an_end() -> None:
    """Health 1.1857: at rest at 1.10 + 0.2 × 40 %, fires at 1.10 + 0.2 × 80 %; never beyond its most."""
    for ether, bound, fires in ((0.4, "1.18", False), (0.8, "1.26", True), (9.0, "1.40", True)):
        (verdict,) = assess(LENDING, seeing(loop(), market(ether)), [WIDER], ()).verdicts
        assert verdict.rule.trigger.bound == pytest.approx(wad(bound), rel=1e-4)
        assert verdict.fired is fires
        assert verdict.doubt is None
        assert verdict.rule.trigger.bound <= wad("1.40")


def test_where_volatility_is_unknown_the_written_bound_counts_and_the_owner_hears() -> None:
    """It neither sells at the farthest, on what nobody knows, nor sleeps below the base."""
    for p, fires in ((loop(), False), (loop(dollars="15500"), True)):
        (verdict,) = assess(LENDING, seeing(p, None), [WIDER], ()).verdicts
        assert verdict.rule.trigger.bound == wad("1.10")
        assert verdict.fired is fires
        assert verdict.doubt is not None
        assert "does not widen" in verdict.doubt.detail


def test_a_fleet_is_looked_at_as_far_as_a_bound_may_widen() -> None:
    """From afar nobody is let pass on whom the rule could fire."""
    assert WIDER.trigger.farthest == wad("1.40")
    seen = FleetTriggers(["loop"], [WIDER])
    figures = np.array([[20_000e8, 14_000e8, 0, 8300, 8050, 1.39e18]])
    assert seen.reached(figures, 0.0)[0]


@given(st.floats(0, 5), st.floats(0, 5))
def test_more_volatility_never_narrows_a_bound(one: float, more: float) -> None:
    """And never below what is written."""
    low, high = (WIDER.trigger.widened(round(v * WAD)).bound for v in (one, one + more))
    assert wad("1.10") <= low <= high <= wad("1.40")
