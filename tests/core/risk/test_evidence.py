"""The evidence looks at nothing that came later, and a forecast that moves with its own doubt is a mean over it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from risk_paths import BEGAN, moves

from keeper.core.risk.series import Bar, bars
from keeper.core.risk.stance import Stance, probability
from tools.evidence import forecasts, page

HOUR, DAY = 3600, 86_400


def drawn(given: list[float]) -> tuple[Bar, ...]:
    level, rows = math.log(2_000 * 10**8), list[list[int]]()
    for i, move in enumerate(given):
        first, last = round(math.exp(level)), round(math.exp(level + move))
        level += move
        rows.append([BEGAN + i * HOUR, first, max(first, last), min(first, last), last])
    return bars(rows, HOUR)


def test_shifting_the_future_changes_no_forecast() -> None:
    """Another future after an hour: every forecast up to it is the same, and only what came to pass differs."""
    calm, cut = moves(0.6, 24 * 12, HOUR), 24 * 9
    other = [*calm[:cut], *(-abs(m) * 6 for m in calm[cut:])]
    one, two = (list(forecasts("x", drawn(m))) for m in (calm, other))
    until = sum(1 for _ in range(cut)) * 9  # as many hours as are the same, nine healths each, at the most
    same = [(a, b) for a, b in zip(one, two, strict=False)][: until - 9 * DAY // HOUR]
    assert len(same) > 500
    assert all(a.probability == b.probability for a, b in same)
    assert any(a.came != b.came for a, b in zip(one, two, strict=False))
    assert "| forecast | count |" in page(one)


def test_a_forecast_over_what_volatility_may_become_is_its_mean() -> None:
    """Held against a hundred thousand draws of volatility, each with its own closed form."""
    of = Stance(0.15, -0.32, 0.8, 0.0, HOUR, restless=0.35)
    dice = np.random.default_rng(5)
    sizes = 0.8 * np.exp(0.35 * dice.standard_normal(4_000))
    each = [probability(Stance(0.15, -(s**2) / 2, float(s), 0.0, HOUR), DAY) for s in sizes]
    mean = sum(x for x in each if isinstance(x, float)) / len(each)
    assert probability(of, DAY) == pytest.approx(mean, rel=0.08)
    assert probability(of, DAY) > 2 * probability(replace(of, restless=0.0), DAY)  # type: ignore[operator]


@given(st.floats(0.001, 1.5), st.floats(1.001, 2.0), st.floats(0.05, 3.0), st.floats(0, 1))
def test_it_still_falls_with_the_distance(distance: float, more: float, size: float, restless: float) -> None:
    """What the planner solves on."""
    of = Stance(distance, -(size**2) / 2, size, 0.0, HOUR, restless=restless)
    near, far = probability(of, DAY), probability(of, DAY, distance * more)
    assert isinstance(near, float)
    assert isinstance(far, float)
    assert 0 <= far <= near <= 1
