"""Probability of liquidation: closed forms against a library, published values, each other, brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.prices import Doubt
from keeper.core.risk import barrier, kou, monte_carlo, option
from keeper.core.risk.jumps import Jumps
from keeper.core.risk.normal import below, log_below, quantile
from keeper.core.risk.series import YEAR_S

DAY = 86_400

# QuantLib 1.44, AnalyticDigitalAmericanEngine, an American cash-or-nothing put of 1 at a rate of zero:
# price over level, volatility, days, dividend yield, what it costs
TOUCHED = [
    (1.25, 0.8, 1, 0.0, 1.104255112e-07),
    (1.25, 0.8, 7, 0.0, 0.0491301255433),
    (1.25, 0.8, 30, 0.0, 0.3683585640763),
    (5 / 3, 0.6, 90, 0.05, 0.1182758497957),
    (20 / 19, 1.2, 1, 0.0, 0.4248016397996),
    (10 / 7, 0.9, 365, -0.03, 0.7976802053366),
]


@pytest.mark.parametrize(("ratio", "volatility", "days", "yielded", "cost"), TOUCHED)
def test_the_reflection_is_what_a_touch_costs(
    ratio: float, volatility: float, days: int, yielded: float, cost: float
) -> None:
    """A one-touch option at no interest pays exactly the probability."""
    found = barrier.reached(math.log(ratio), -yielded - volatility**2 / 2, volatility, days * DAY)
    assert found == pytest.approx(cost, rel=1e-8)


def test_without_drift_it_is_the_reflection_principle() -> None:
    """Twice the chance to end beyond (arXiv 2505.08100)."""
    assert barrier.reached(0.2, 0.0, 0.8, 7 * DAY) == pytest.approx(2 * below(-0.2 / (0.8 * math.sqrt(7 / 365))))


def test_a_path_that_is_looked_at_seldom_reaches_less() -> None:
    """Broadie, Glasserman and Kou's shift is what brute force at the oracle's steps shows."""
    volatility, horizon, steps, distance = 1.0, 3 * DAY, 72, 0.12
    dice = np.random.default_rng(1)
    spread = volatility * math.sqrt(horizon / steps / YEAR_S)
    lowest = np.cumsum(dice.normal(-(spread**2) / 2, spread, (200_000, steps)), axis=1).min(axis=1)
    brute = float((lowest <= -distance).mean())
    shifted = barrier.reached(barrier.farther(distance, volatility, horizon / steps), -0.5, volatility, horizon)
    always = barrier.reached(distance, -0.5, volatility, horizon)
    assert shifted == pytest.approx(brute, abs=4 * math.sqrt(brute / 200_000))
    assert isinstance(always, float)
    assert always > brute + 0.02


@given(st.floats(0.001, 3.0), st.floats(-2, 2), st.floats(0.05, 4.0), st.floats(60, 400 * DAY), st.floats(1.0001, 3.0))
def test_what_is_nearer_or_lasts_longer_is_more_probable(
    distance: float, drift: float, volatility: float, horizon: float, more: float
) -> None:
    """Between 0 and 1, falling in the distance, rising with time."""
    found = [
        barrier.reached(distance, drift, volatility, horizon),
        barrier.reached(distance * more, drift, volatility, horizon),
        barrier.reached(distance, drift, volatility, horizon * more),
    ]
    here, farther, longer = (x for x in found if isinstance(x, float))
    assert 0 <= farther <= here + 1e-12
    assert here <= longer + 1e-12
    assert longer <= 1


def test_level_and_time_undo_the_probability() -> None:
    """The level reached with 5 % is reached with 5 %, and the time until 5 % is that of it."""
    level = barrier.level(0.05, -0.3, 0.8, 7 * DAY)
    assert isinstance(level, float)
    assert barrier.reached(level, -0.3, 0.8, 7 * DAY) == pytest.approx(0.05, abs=1e-9)
    seconds = barrier.time_to(0.05, 0.2, -0.3, 0.8)
    assert isinstance(seconds, float)
    assert barrier.reached(0.2, -0.3, 0.8, seconds) == pytest.approx(0.05, abs=1e-9)
    assert barrier.time_to(0.05, math.inf, -0.3, 0.8) is None
    assert barrier.time_to(0.05, 0.0, -0.3, 0.8) == 0


@pytest.mark.parametrize(
    ("distance", "drift", "volatility", "horizon"),
    [
        (0.2, 0.0, 0.0, DAY),
        (0.2, 0.0, -1.0, DAY),
        (0.2, 0.0, 0.8, 0),
        (0.2, 0.0, 0.8, -5),
        (math.nan, 0.0, 0.8, DAY),
        (0.2, math.nan, 0.8, DAY),
        (0.2, 0.0, math.nan, DAY),
        (0.2, 0.0, math.inf, DAY),
        (0.2, 0.0, 0.8, math.nan),
    ],
)
def test_what_cannot_be_counted_with_is_unknown(
    distance: float, drift: float, volatility: float, horizon: float
) -> None:
    """Zero volatility, no horizon, NaN: never a probability of nothing."""
    assert isinstance(barrier.reached(distance, drift, volatility, horizon), Doubt)
    process = kou.Falling(distance, drift, volatility, 3.0, 0.5, 0.02, 0.03)
    assert isinstance(kou.reached(process, horizon), Doubt)


def test_at_the_level_it_is_certain_whatever_else() -> None:
    """A health factor of 1 or less is liquidation."""
    assert barrier.reached(0.0, 5.0, 0.1, 1) == 1.0
    assert barrier.reached(-math.inf, 5.0, 0.1, 1) == 1.0
    assert barrier.reached(math.inf, 0.0, 0.8, DAY) == 0.0


def test_far_tails_stay_numbers() -> None:
    """Where exp overflows and Φ vanishes their product does not."""
    found = barrier.reached(3.0, -50.0, 0.05, 10 * DAY)
    assert isinstance(found, float)
    assert 0 <= found <= 1
    assert log_below(-30.001) == pytest.approx(log_below(-29.999), abs=0.07)
    assert quantile(0.975) == pytest.approx(1.959963984540054)


def test_jumps_are_kou_and_wangs() -> None:
    """First passage times of a jump diffusion process (2003), their example: μ 0.1, σ 0.2, λ 3, b 0.3, one year."""
    process = kou.Falling(0.3, -0.1, 0.2, 3.0, 0.5, 0.03, 0.02)
    assert kou.reached(process, YEAR_S) == pytest.approx(0.25584, abs=1e-5)


def test_jumps_that_hardly_come_are_none() -> None:
    """In the limit it is the reflection principle."""
    rare = kou.Falling(0.1, -0.3, 0.8, 1e-9, 0.5, 0.03, 0.05)
    assert kou.reached(rare, 7 * DAY) == pytest.approx(barrier.reached(0.1, -0.3, 0.8, 7 * DAY), abs=1e-7)
    never = Jumps(0.0, 0.5, 0.0, 0.0, 0.8, 0)
    assert kou.reached(kou.falling(0.1, never), 7 * DAY) == pytest.approx(barrier.reached(0.1, -0.32, 0.8, 7 * DAY))


def _brute(of: kou.Falling, horizon: float, paths: int, seed: int) -> float:
    """Return the share of paths that reach the level: jumps by their law, bridged between them."""
    dice, years = np.random.default_rng(seed), horizon / YEAR_S
    counts, reached = dice.poisson(of.a_year * years, paths), 0.0
    for count in counts:
        times, x, before, kept = np.sort(dice.uniform(0, years, count)), of.distance, 0.0, 1.0
        for i in range(count + 1):
            until = times[i] if i < count else years
            spread = of.volatility * math.sqrt(until - before)
            after = x + of.drift * (until - before) + spread * dice.standard_normal()
            kept *= 0.0 if after <= 0 else 1 - math.exp(-2 * x * after / spread**2)
            if kept == 0.0 or i == count:
                break
            away = dice.random() < of.share_away
            x = after + (dice.exponential(of.away) if away else -dice.exponential(of.towards))
            before = until
            if x <= 0:
                kept = 0.0
                break
        reached += 1 - kept
    return reached / paths


@pytest.mark.parametrize(
    ("jumps", "distance", "days"),
    [
        (Jumps(40.0, 0.3, 0.04, 0.08, 0.6, 40), 0.15, 7),
        (Jumps(150.0, 0.5, 0.02, 0.03, 0.7, 150), 0.10, 2),
        (Jumps(5.0, 0.2, 0.05, 0.20, 0.5, 5), 0.35, 30),
    ],
)
def test_jumps_agree_with_brute_force(jumps: Jumps, distance: float, days: int) -> None:
    """Drawn jump by jump; a price that is owed is the mirror of one that is held."""
    for process in (kou.falling(distance, jumps, 0.03), kou.rising(distance, jumps, -0.05)):
        brute = _brute(process, days * DAY, 20_000, seed=days)
        assert kou.reached(process, days * DAY) == pytest.approx(brute, abs=4 * math.sqrt(brute / 20_000) + 1e-3)


def test_jumps_make_liquidation_more_probable_far_away() -> None:
    """With the same volatility in all: what a diffusion calls impossible a jump does."""
    jumps = Jumps(40.0, 0.3, 0.04, 0.08, 0.6, 40)
    whole = math.sqrt(0.6**2 + 40 * (0.3 * 2 * 0.04**2 + 0.7 * 2 * 0.08**2))
    with_jumps = kou.reached(kou.falling(0.3, jumps), DAY)
    without = barrier.reached(0.3, -(whole**2) / 2, whole, DAY)
    assert isinstance(with_jumps, float)
    assert isinstance(without, float)
    assert with_jumps > 10 * without


# --- several prices ---------------------------------------------------------------------------------------------------


def test_bridged_paths_are_the_closed_form_for_one_price() -> None:
    """With four steps only: the bridge leaves nothing out."""
    paths = monte_carlo.drawn([[0.64, 0.0], [0.0, 0.0]], 7 * DAY, 4, 100_000, seed=1)
    found = monte_carlo.liquidated(monte_carlo.DrivenLoan((1.2, 0.0), (0.0, 1.0), carry=-0.05), paths)
    closed = barrier.reached(math.log(1.2), -0.32 - 0.05, 0.8, 7 * DAY)
    assert found.probability == pytest.approx(closed, abs=4 * found.error)
    assert found.error < 0.002


def test_bridged_paths_agree_with_brute_force_for_several_prices() -> None:
    """Two collaterals and a debt that moves, stepped a thousand times without a bridge, moved by the BGK shift."""
    covariance = [[0.64, 0.30, 0.05], [0.30, 0.49, 0.02], [0.05, 0.02, 0.09]]
    stake = monte_carlo.DrivenLoan((0.7, 0.5, 0.0), (0.0, 0.1, 0.9))
    bridged = monte_carlo.liquidated(stake, monte_carlo.drawn(covariance, 10 * DAY, 24, 60_000, seed=2))
    fine = monte_carlo.drawn(covariance, 10 * DAY, 1_000, 6_000, seed=3)
    ups = np.einsum("d,sdp->sp", np.asarray(stake.secured), fine.prices)
    downs = np.einsum("d,sdp->sp", np.asarray(stake.owed), fine.prices)
    shift = barrier.SHIFT * 0.66 * math.sqrt(10 / 1_000 / 365)
    brute = float((np.log(ups / downs).min(axis=0) <= shift).mean())
    assert bridged.probability == pytest.approx(brute, abs=0.02)


def test_the_same_seed_draws_the_same() -> None:
    """A report can be recomputed to the digit."""
    one, other = (monte_carlo.drawn([[0.5]], DAY, 2, 1_000, seed=9).prices for _ in range(2))
    assert (one == other).all()


@pytest.mark.parametrize(
    ("covariance", "horizon"), [([[0.5]], 0), ([[math.nan]], DAY), ([[0.1, 0.9], [0.9, 0.1]], DAY)]
)
def test_paths_that_cannot_be_are_refused(covariance: list[list[float]], horizon: float) -> None:
    """No horizon, NaN, correlations that contradict each other."""
    with pytest.raises((ValueError, np.linalg.LinAlgError)):
        monte_carlo.drawn(covariance, horizon, 2, 100, seed=1)


# --- the put ----------------------------------------------------------------------------------------------------------

# QuantLib 1.44, AnalyticBarrierEngine and AnalyticEuropeanEngine at a rate of zero, per unit of the price
PUTS = [
    (
        0.80,
        0.70,
        0.8,
        30,
        0.015459370659294,
        (0.017916541614854, -0.138385154823090, 0.962823297694614, 0.063308929163482),
    ),
    (
        0.95,
        0.90,
        0.6,
        7,
        0.011640005304706,
        (0.013273535564256, -0.254992714695696, 3.864499557485318, 0.044468214086132),
    ),
    (
        0.80,
        0.85,
        0.8,
        30,
        0.017916541614854,
        (0.017916541614854, -0.138385154823090, 0.962823297694614, 0.063308929163482),
    ),
]


@pytest.mark.parametrize(("strike", "level", "volatility", "days", "barred", "plain"), PUTS)
def test_a_put_costs_what_the_library_says(
    strike: float, level: float, volatility: float, days: int, barred: float, plain: tuple[float, ...]
) -> None:
    """Plain and barrier-adjusted, with its Greeks."""
    found = option.put(strike, volatility, days * DAY)
    assert isinstance(found, option.Put)
    assert (found.price, found.delta, found.gamma, found.vega) == pytest.approx(plain, rel=1e-6)
    assert option.down_and_in_put(strike, level, volatility, days * DAY) == pytest.approx(barred, rel=1e-8)


@pytest.mark.parametrize(
    ("strike", "volatility", "horizon"), [(0, 0.8, DAY), (0.9, 0, DAY), (0.9, 0.8, 0), (math.nan, 1, 1)]
)
def test_a_put_of_nonsense_is_unknown(strike: float, volatility: float, horizon: float) -> None:
    """No strike, no volatility, no time."""
    assert isinstance(option.put(strike, volatility, horizon), Doubt)
