"""Volatility, held against known laws, published formulas and a reference library."""

from __future__ import annotations

import math
import random

import pytest
from risk_paths import BEGAN, moves, walked

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.risk import correlation, garch, jumps
from keeper.core.risk.series import YEAR_S, Series, bars, series
from keeper.core.risk.volatility import (
    ewma,
    garman_klass,
    parkinson,
    realised,
    realised_at,
    volatility_of_volatility,
)

HOUR, DAY = 3600, 86_400


def test_realised_volatility_is_the_root_of_squared_moves_over_time() -> None:
    """By hand: eight moves of 1 % in eight hours are 1 % × √(8760 hours)."""
    up, down = math.log(1.01), -math.log(1.01)
    history = walked([up, down] * 4, HOUR)
    found = realised(history, 8 * HOUR, BEGAN + 8 * HOUR)
    assert found == pytest.approx(math.log(1.01) * math.sqrt(8760), rel=1e-6)


def test_a_known_volatility_is_found_over_every_horizon() -> None:
    """A path of 80 % a year shows 80 %, within what its length allows."""
    history = walked(moves(0.8, 60 * 24 * 12, 300), 300)
    for window_s, found in realised_at(history, history.ends).items():
        count = window_s / 300
        assert isinstance(found, float)
        assert found == pytest.approx(0.8, rel=4 / math.sqrt(2 * count)), window_s


def test_rounds_that_come_when_the_price_moves_show_the_same_volatility() -> None:
    """An oracle answers at a deviation of half a percent: its moves count with the time they took."""
    fine = walked(moves(0.8, 30 * 24 * 60, 60), 60)
    said = [fine.ticks[0]]
    for tick in fine.ticks:
        if abs(tick.price / said[-1].price - 1) >= 0.005 or tick.at - said[-1].at >= HOUR:
            said.append(tick)
    assert realised(Series(tuple(said)), 28 * DAY, fine.ends) == pytest.approx(0.8, rel=0.08)


@pytest.mark.parametrize(
    ("history", "now", "window_s"),
    [
        (Series(()), BEGAN, DAY),
        (series([(BEGAN, 5)]), BEGAN + DAY, DAY),
        (walked([0.01] * 24, HOUR), BEGAN + 24 * HOUR, 0),
        (walked([0.01] * 24, HOUR), BEGAN + 24 * HOUR, 7 * DAY),
        (walked([0.0] * 48, HOUR), BEGAN + 48 * HOUR, DAY),
        (walked([0.01] * 48, HOUR), BEGAN + 96 * HOUR, 2 * DAY),
        (walked([0.01] * 4 + [0.0] * 44, HOUR), BEGAN - HOUR, DAY),
    ],
    ids=["nothing", "one round", "no window", "too short", "stands still", "a gap of days", "before it begins"],
)
def test_what_says_too_little_is_unknown_and_never_calm(history: Series, now: int, window_s: int) -> None:
    """No figure comes of it, from any estimator."""
    for found in (realised(history, window_s, now), ewma(history, window_s, now)):
        assert isinstance(found, Doubt)
        assert found.reason is Reason.HISTORY_SHORT


def test_what_comes_later_changes_nothing() -> None:
    """No look-ahead: another future leaves every estimate as it was."""
    given = moves(0.8, 24 * 60, HOUR)
    now = BEGAN + 24 * 40 * HOUR
    one, other = walked(given, HOUR), walked([*given[: 24 * 40], *(5 * m for m in given[24 * 40 :])], HOUR)
    assert realised(one, 7 * DAY, now) == realised(other, 7 * DAY, now)
    assert ewma(one, 3 * DAY, now) == ewma(other, 3 * DAY, now)


def _bars(volatility: float, count: int, inside: int = 400) -> tuple[object, ...]:
    dice, level, rows = random.Random(3), math.log(2_000 * 10**8), []
    for i in range(count):
        path = [level]
        for _ in range(inside):
            path.append(path[-1] + dice.gauss(0.0, volatility * math.sqrt(HOUR / inside / YEAR_S)))
        level = path[-1]
        rows.append([BEGAN + i * HOUR, *(round(math.exp(x)) for x in (path[0], max(path), min(path), level))])
    return bars(rows, HOUR)


def test_ranges_of_bars_show_the_same_volatility_as_moves() -> None:
    """Parkinson and Garman-Klass find what the bars were drawn with; discrete paths miss a little of their range."""
    given = _bars(0.7, 500)
    assert parkinson(given) == pytest.approx(0.7, rel=0.06)
    assert garman_klass(given) == pytest.approx(0.7, rel=0.06)


def test_parkinson_and_garman_klass_are_their_formulas() -> None:
    """One kind of bar, by hand: ln(H/L)² / (4 ln 2), and ½ ln(H/L)² − (2 ln 2 − 1) ln(C/O)²."""
    given = bars([(BEGAN + i * DAY, 100, 110, 95, 105) for i in range(10)], DAY)
    spread, body = math.log(110 / 95) ** 2, math.log(105 / 100) ** 2
    assert parkinson(given) == pytest.approx(math.sqrt(365 * spread / (4 * math.log(2))))
    assert garman_klass(given) == pytest.approx(math.sqrt(365 * (spread / 2 - (2 * math.log(2) - 1) * body)))


@pytest.mark.parametrize("estimate", [parkinson, garman_klass])
def test_bars_that_are_few_or_flat_are_unknown(estimate: object) -> None:
    """Zero volatility is no figure."""
    for given in ((), bars([(BEGAN + i * DAY, 100, 100, 100, 100) for i in range(20)], DAY)):
        assert isinstance(estimate(given), Doubt)  # type: ignore[operator]


def test_ewma_is_riskmetrics_recursion_for_equal_times() -> None:
    """σ²ₜ = λ σ²ₜ₋₁ + (1 − λ) r², normed by the weights there are; λ = 2^(-step / half-life)."""
    given = moves(0.8, 24 * 30, HOUR)
    fading, variance, weight = 0.5 ** (HOUR / DAY), 0.0, 0.0
    for move in given:
        variance = fading * variance + (1 - fading) * move * move
        weight = fading * weight + 1 - fading
    history = walked(given, HOUR)
    assert ewma(history, DAY, history.ends) == pytest.approx(math.sqrt(variance / weight * 8760), rel=1e-5)


def test_ewma_hears_of_a_storm_before_the_month_does() -> None:
    """What is new counts most."""
    history = walked([*moves(0.4, 24 * 30, HOUR), *moves(2.0, 24, HOUR, seed=9)], HOUR)
    fast, slow = ewma(history, DAY, history.ends), realised(history, 30 * DAY, history.ends)
    assert isinstance(fast, float)
    assert isinstance(slow, float)
    assert fast > 2 * slow


def test_the_volatility_of_volatility_rises_with_it() -> None:
    """Days that differ more show more of it."""

    def days(spread: float) -> float:
        dice, all_moves = random.Random(5), list[float]()
        for day in range(32):
            all_moves += moves(0.8 * math.exp(dice.gauss(0, spread)), 96, 900, seed=day)
        history = walked(all_moves, 900)
        found = volatility_of_volatility(history, history.ends)
        assert isinstance(found, float)
        return found

    assert days(0.0) < days(0.4) < days(0.8)


# arch 8.0.0: arch_model(r, mean="Zero", vol="GARCH", p=1, q=1, rescale=False).fit(), r as below
ARCH = {"omega": 0.0565172, "alpha": 0.1088948, "beta": 0.8371399, "likelihood": -4179.6893806, "next": 1.1502992}


def garch_moves(count: int = 3_000, seed: int = 11) -> list[float]:
    """Return moves of a GARCH(1,1) with ω 0.05, α 0.10, β 0.85, in percent."""
    dice, variance, found = random.Random(seed), 1.0, list[float]()
    for _ in range(count):
        move = math.sqrt(variance) * dice.gauss(0.0, 1.0)
        found.append(move)
        variance = 0.05 + 0.10 * move * move + 0.85 * variance
    return found


def test_garch_is_what_arch_fits() -> None:
    """Parameters, likelihood and forecast of the package arch 8.0.0 on the same moves."""
    found = garch.fitted(garch_moves())
    assert isinstance(found, garch.Garch)
    assert found.omega == pytest.approx(ARCH["omega"], rel=0.01)
    assert found.alpha == pytest.approx(ARCH["alpha"], rel=0.01)
    assert found.beta == pytest.approx(ARCH["beta"], rel=0.002)
    assert found.log_likelihood == pytest.approx(ARCH["likelihood"], abs=0.005)
    assert found.last == pytest.approx(ARCH["next"], rel=0.005)


def test_garch_is_what_arch_fits_here_too() -> None:
    """The same with the library itself, where it is installed: on real hours as well."""
    arch = pytest.importorskip("arch")
    for given in (garch_moves(seed=2), garch_moves(1_000, seed=3)):
        model = arch.arch_model(given, mean="Zero", vol="GARCH", p=1, q=1, rescale=False).fit(disp="off")
        found = garch.fitted(given)
        assert isinstance(found, garch.Garch)
        assert found.log_likelihood >= model.loglikelihood - 0.01


def test_a_forecast_returns_to_the_long_run() -> None:
    """σ² of a far step is ω / (1 − α − β); of one step it is the last."""
    of = garch.Garch(omega=0.05, alpha=0.1, beta=0.85, last=4.0, log_likelihood=0.0)
    assert of.ahead(1) == pytest.approx(4.0)
    assert of.ahead(100_000) == pytest.approx(of.long_run, rel=1e-3)
    by_hand = [of.long_run + 3.0 * 0.95**i for i in range(24)]
    assert of.ahead(24) == pytest.approx(sum(by_hand) / 24)


@pytest.mark.parametrize("given", [[], [0.01] * 50, [0.0] * 500, [0.01] * 200 + [math.nan], [math.inf] * 300])
def test_garch_of_too_little_is_unknown(given: list[float]) -> None:
    """Few moves, none, or what is no number."""
    assert isinstance(garch.fitted(given), Doubt)


def test_jumps_that_were_put_in_are_found() -> None:
    """Their number and their size; a path without any shows none to speak of."""
    given, dice = moves(0.6, 24 * 365, HOUR), random.Random(2)
    assert isinstance(calm := jumps.found(given, HOUR), jumps.Jumps)
    assert calm.count <= 2
    for i in dice.sample(range(200, len(given)), 40):
        given[i] += -0.08 if dice.random() < 0.75 else 0.05
    found = jumps.found(given, HOUR)
    assert isinstance(found, jumps.Jumps)
    assert found.count == pytest.approx(40, abs=4)
    assert found.a_year == pytest.approx(40, rel=0.15)
    assert found.share_up == pytest.approx(0.25, abs=0.12)
    assert found.down == pytest.approx(0.08, rel=0.15)
    assert found.up == pytest.approx(0.05, rel=0.25)
    assert found.diffusion == pytest.approx(0.6, rel=0.05)


@pytest.mark.parametrize("given", [[], [0.01] * 100, [0.0] * 500, [math.nan] * 500])
def test_jumps_of_too_little_are_unknown(given: list[float]) -> None:
    """No jump was seen is another thing than nothing was seen."""
    assert isinstance(jumps.found(given, HOUR), Doubt)


def test_a_known_correlation_is_found() -> None:
    """And drawn towards nothing by as much as it is uncertain: little for a long history, more for a short one."""

    def pair(count: int) -> correlation.Correlations:
        a, b = moves(0.8, count, HOUR), moves(0.8, count, HOUR, seed=8)
        mixed = [0.8 * x + 0.6 * y for x, y in zip(a, b, strict=True)]
        histories = {"a": walked(a, HOUR), "b": walked(mixed, HOUR)}
        found = correlation.correlations(histories, HOUR, 3_650 * DAY, BEGAN + count * HOUR)
        assert isinstance(found, correlation.Correlations)
        return found

    long, short = pair(20_000), pair(60)
    assert long.of("a", "b") == pytest.approx(0.8, abs=0.01)
    assert short.shrunk > long.shrunk
    assert long.of("a", "a") == 1.0
    assert long.of("a", "c") is None


def test_correlations_of_too_little_are_unknown() -> None:
    """A history that is short, or of a price that never moved."""
    short = {"a": walked([0.01] * 10, HOUR), "b": walked([0.01] * 10, HOUR)}
    flat = {"a": walked(moves(0.5, 100, HOUR), HOUR), "b": walked([0.0] * 100, HOUR)}
    for histories, count in ((short, 10), (flat, 100)):
        assert isinstance(correlation.correlations(histories, HOUR, DAY, BEGAN + count * HOUR), Doubt)
