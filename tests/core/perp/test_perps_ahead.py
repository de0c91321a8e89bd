"""What looks ahead of a perpetual: each figure by hand, unknown without a history, and what its rules may do."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from core_builders import BLOCK, at, loop
from hypothesis import given
from hypothesis import strategies as st
from perp_builders import decided, in_kind, long, perp_intent, perp_rule, planned, short

from keeper.core.decide import Hold
from keeper.core.lending.metrics import METRICS as LOANS
from keeper.core.lending.position import Beside
from keeper.core.metrics import Metric, Subject, Target
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import margin as perps
from keeper.core.perp.metrics import (
    DRAWDOWN,
    EXPECTED_SHORTFALL,
    LEVERAGE,
    LOOKING_AHEAD,
    LOSS_IN_STRESS,
    METRICS,
    VALUE_AT_RISK,
    VOLATILITY,
)
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.risk_metrics import exposures
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.risk.correlation import Correlations
from keeper.core.risk.market import Market, Movement
from keeper.core.risk.series import series
from keeper.core.trail import NOTHING
from keeper.core.units import DAY_S, HOUR_S, USD, WAD

OVER = Subject(window_s=DAY_S)
NOW = BLOCK.timestamp


def moving(volatility: float | Doubt, *dollars: float) -> Market:
    """A market of ether, with hourly prices until now where some are given."""
    asset = short().legs[0].oracle.asset
    count = len(dollars)
    history = series((NOW - (count - 1 - i) * HOUR_S, round(d * USD)) for i, d in enumerate(dollars))
    move = Movement(volatility, None, HOUR_S, history, 2 * HOUR_S)
    drivers = {asset: "ETH", at("WETH"): "ETH", at("USDC"): "USD"}
    still = Movement(0.01, None, HOUR_S)
    return Market(NOW, drivers, {"ETH": move, "USD": still}, Correlations({frozenset(("ETH", "USD")): 0.0}))


def seeing(p: PerpPosition, market: Market | None) -> PerpPosition:
    return replace(p, market=market)


def measured(metric: Metric[PerpPosition], p: PerpPosition, of: Subject = OVER) -> int | Doubt | None:
    return metric.measure(p, NOTHING, of)


def test_loans_and_perpetuals_look_ahead_by_the_same_six() -> None:
    """One metric each: the same key, words, unit, sides and table; only what is meant by a name differs."""
    for metric in LOOKING_AHEAD:
        other = LOANS[metric.key]
        assert METRICS[metric.key] is metric
        for of in ("words", "unit", "sides", "risk", "valid", "valid_target", "window_s", "fall", "parts"):
            assert getattr(metric, of) == getattr(other, of), (metric, of)
        assert metric.odd is other.odd


def test_value_at_risk_of_a_long_is_the_lognormal_s_and_a_short_loses_more() -> None:
    """Three ether at 2,000 dollars, 80 %, a day: the worst of a hundred cases, and never more than its margin."""
    spread, z = 0.8 * math.sqrt(1 / 365), 2.3263478740408408
    held = measured(VALUE_AT_RISK, seeing(long(margin="5000"), moving(0.8)))
    owed = measured(VALUE_AT_RISK, seeing(short(margin="5000"), moving(0.8)))
    assert isinstance(held, int)
    assert isinstance(owed, int)
    assert held / USD == pytest.approx(6000 * (1 - math.exp(-z * spread - spread**2 / 2)), rel=1e-6)
    assert owed / USD == pytest.approx(6000 * (math.exp(z * spread - spread**2 / 2) - 1), rel=1e-6)
    assert measured(VALUE_AT_RISK, seeing(short(margin="100"), moving(0.8))) == 100 * USD
    tail = measured(EXPECTED_SHORTFALL, seeing(long(margin="5000"), moving(0.8)))
    assert isinstance(tail, int)
    assert tail == pytest.approx(held, rel=0.05)  # of 97.5 % about what the other is of 99 %
    assert tail > held


def test_margin_in_kind_is_at_risk_as_well() -> None:
    """Three ether long on half an ether of margin: three and a half move."""
    (own,) = exposures(in_kind()).values()
    assert own == 7000 * USD


@pytest.mark.parametrize("metric", [m for m in LOOKING_AHEAD if m.looks_ahead], ids=str)
def test_without_a_price_history_nothing_is_measured_and_its_rule_holds(metric: Metric[PerpPosition]) -> None:
    """Not read, of another asset, too short, or a volatility in doubt: a Doubt, never zero and never a trade."""
    gap = Doubt(Reason.HISTORY_SHORT, "a gap of days")
    for of in (None, Market(NOW), moving(gap)):
        assert isinstance(measured(metric, seeing(short(), of)), Doubt), of
        rule = perp_rule(metric, "0.0001", actions=(perp_actions.REDUCE,), window_s=DAY_S)
        held = decided(seeing(short(), of), rule)
        assert isinstance(held, Hold)
        assert held.reason is Reason.HISTORY_SHORT


@pytest.mark.parametrize("metric", LOOKING_AHEAD, ids=str)
def test_without_a_size_there_is_nothing_to_lose(metric: Metric[PerpPosition]) -> None:
    """No doubt either: nothing is there, known or not."""
    assert measured(metric, seeing(short(size="0"), None), replace(OVER, fall=WAD // 5)) in (None, 0)


HOURS = [2000.0 + 200 * math.sin(i / 3) for i in range(48)]


def test_volatility_is_that_of_the_market_that_is_named() -> None:
    """What its index moved in the window, and a name that the position lacks is a doubt."""
    seen = seeing(short(), moving(0.8, *HOURS))
    found = measured(VOLATILITY, seen)
    moves = [math.log(b / a) for a, b in zip(HOURS[-25:], HOURS[-24:], strict=False)]
    assert isinstance(found, int)
    assert found / WAD == pytest.approx(math.sqrt(sum(x * x for x in moves) * 365), rel=0.05)
    assert measured(VOLATILITY, seen, Subject("eth", DAY_S)) == found
    assert isinstance(measured(VOLATILITY, seen, Subject("BTC", DAY_S)), Doubt)


def test_a_short_s_drawdown_is_a_rise() -> None:
    """From 1,900 to 2,100 it has lost a tenth and a bit; a long stands at its best."""
    rising = [1900 + i * 200 / 47 for i in range(48)]
    up, down = (measured(DRAWDOWN, seeing(p, moving(0.8, *rising))) for p in (short(), long()))
    first = rising[-25]
    assert isinstance(up, int)
    assert up / WAD == pytest.approx(2100 / first - 1, rel=1e-3)
    assert down == 0


@given(st.integers(1, 99), st.sampled_from([short, long]))
def test_a_stress_takes_what_the_venue_s_own_arithmetic_says(percent: int, make: object) -> None:
    """The move against it, at its marks; all that is left where that liquidates; never more than its worth."""
    p = make(margin="2500")  # type: ignore[operator]
    found = LOSS_IN_STRESS.now(p, Subject(fall=percent * WAD // 100))
    then = perps.at_price(
        p, "ETH", (2000 * (100 + percent if p is not None and p.legs[0].size < 0 else 100 - percent)) * WAD // 100
    )
    gone = perps.equity(p) if perps.is_liquidatable(then) else perps.equity(p) - perps.equity(then)
    assert found == -(-min(gone, perps.equity(p)) * USD // p.usd_unit)


def test_a_stress_needs_no_history() -> None:
    """Three ether by a fifth: 1,200 dollars of 5,000."""
    assert LOSS_IN_STRESS.now(short(margin="5000"), Subject(fall=WAD // 5)) == 1200 * USD


@pytest.mark.parametrize(("volatility", "acts"), [(0.2, False), (3.0, True)])
def test_a_rule_on_what_may_be_lost_reduces_to_its_target(volatility: float, acts: bool) -> None:
    """At most 500 dollars within a day: in a storm the short is made smaller, in a calm it rests."""
    target = Target(LEVERAGE, WAD // 2)
    rule = perp_rule(VALUE_AT_RISK, "500", target, (perp_actions.REDUCE,), window_s=DAY_S)
    now = seeing(short(margin="5000"), moving(volatility))
    if not acts:
        held = decided(now, rule)
        assert isinstance(held, Hold)
        assert held.reason is Reason.HEALTHY
        return
    (plan, *_) = planned(perp_intent(now, rule))
    assert LEVERAGE.now(plan.projected) is not None
    assert (LEVERAGE.now(plan.projected) or 0) <= WAD // 2
    after = measured(VALUE_AT_RISK, seeing(plan.projected, moving(volatility)))
    before = measured(VALUE_AT_RISK, now)
    assert isinstance(after, int)
    assert isinstance(before, int)
    assert after < before


def test_a_loan_s_figures_are_what_they_were() -> None:
    """By the same metric: ten ether at 80 % within a day."""
    seen = replace(loop(), beside=Beside(market=moving(0.8)))
    assert isinstance(LOANS["value_at_risk"].measure(seen, NOTHING, OVER), int)
