"""Our closed forms beside QuantLib itself, over a grid: what other tests hold against its printed values."""

from __future__ import annotations

import itertools
import math

import pytest

from keeper.core.risk import barrier, option

quantlib = pytest.importorskip("QuantLib")
TODAY = quantlib.Date(1, 1, 2025)
GRID = list(itertools.product((0.7, 0.9, 0.97), (0.4, 0.8, 1.5), (1, 7, 30, 180)))


def _process(volatility: float, yielded: float = 0.0):  # type: ignore[no-untyped-def]
    quantlib.Settings.instance().evaluationDate = TODAY
    days = quantlib.Actual365Fixed()

    def flat(rate: float):  # type: ignore[no-untyped-def]
        return quantlib.YieldTermStructureHandle(quantlib.FlatForward(TODAY, rate, days))

    surface = quantlib.BlackConstantVol(TODAY, quantlib.NullCalendar(), volatility, days)
    spot = quantlib.QuoteHandle(quantlib.SimpleQuote(1.0))
    held = quantlib.BlackVolTermStructureHandle(surface)
    return quantlib.BlackScholesMertonProcess(spot, flat(yielded), flat(0.0), held)


@pytest.mark.parametrize(("level", "volatility", "days"), GRID)
def test_a_touch_costs_the_probability(level: float, volatility: float, days: int) -> None:
    """An American cash-or-nothing put at no interest pays one exactly when the level is reached."""
    payoff = quantlib.CashOrNothingPayoff(quantlib.Option.Put, level, 1.0)
    touch = quantlib.VanillaOption(payoff, quantlib.AmericanExercise(TODAY, TODAY + days, False))
    touch.setPricingEngine(quantlib.AnalyticDigitalAmericanEngine(_process(volatility)))
    found = barrier.reached(math.log(1 / level), -(volatility**2) / 2, volatility, days * 86_400)
    assert found == pytest.approx(touch.NPV(), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("strike", "volatility", "days"), GRID)
def test_a_put_and_its_greeks_are_the_librarys(strike: float, volatility: float, days: int) -> None:
    """Price, delta, gamma and vega of a plain put; the price of one that lives only once a level was reached."""
    exercise, payoff = quantlib.EuropeanExercise(TODAY + days), quantlib.PlainVanillaPayoff(quantlib.Option.Put, strike)
    plain, process = quantlib.VanillaOption(payoff, exercise), _process(volatility)
    plain.setPricingEngine(quantlib.AnalyticEuropeanEngine(process))
    found = option.put(strike, volatility, days * 86_400)
    assert isinstance(found, option.Put)
    wanted = (plain.NPV(), plain.delta(), plain.gamma(), plain.vega())
    assert (found.price, found.delta, found.gamma, found.vega) == pytest.approx(wanted, rel=1e-6, abs=1e-12)
    level = strike * 0.9
    barred = quantlib.BarrierOption(quantlib.Barrier.DownIn, level, 0.0, payoff, exercise)
    barred.setPricingEngine(quantlib.AnalyticBarrierEngine(process))
    ours = option.down_and_in_put(strike, level, volatility, days * 86_400)
    assert ours == pytest.approx(barred.NPV(), rel=1e-6, abs=1e-12)
