"""Shift the future: no forecaster, no measure, no fee and no deed of before knows of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from plays import BEGIN, DAY, crash, document, fixed, walk, way

from keeper.backtest.course import Inside
from keeper.backtest.document import understood
from keeper.backtest.report import ground_of, play_on
from keeper.backtest.stage import PlayedDeed
from keeper.core.prices import Doubt
from keeper.core.risk.forecast import FORECASTERS, Forecaster, of_own

CUT = 29
"""Days of which the files tell the same."""
PAST = walk(32, seed=4, volatility=0.9)


def shifted(rows: Sequence[Sequence[int]], day: float, share: float = 0.5) -> list[list[int]]:
    """All that comes after a day at another price."""
    return [[row[0], *(int(p * (share if row[0] >= BEGIN + day * DAY else 1)) for p in row[1:])] for row in rows]


def curious(times: Sequence[int], prices: Sequence[float], now: int, horizon_s: int) -> float:
    """An owner's forecaster that uses whatever it is given."""
    assert max(times) <= now
    return sum(abs(math.log(b / a)) for a, b in pairwise(prices)) + horizon_s / now


FORECASTS: dict[str, Forecaster] = {**FORECASTERS, "an owner's own": of_own(curious)}


@pytest.mark.parametrize("name", FORECASTS)
@pytest.mark.parametrize("inside", Inside)
def test_no_measure_knows_what_comes(name: str, inside: Inside) -> None:
    """GARCH fits, HAR's least squares, jumps, correlations: to the last digit what they were without a future."""
    grounds = [
        ground_of(understood(document(rows, [])), inside) for rows in (PAST, shifted(PAST, CUT), PAST[: CUT * 24 + 1])
    ]
    for at in (BEGIN + 27 * DAY, BEGIN + CUT * DAY - 3600):
        measures = [replace(ground.movements, forecast=FORECASTS[name]).measure(at) for ground in grounds]
        assert measures[0] == measures[1] == measures[2]
        found = [m.volatility for m in measures[0].movements.values()]
        assert any(not isinstance(v, Doubt) for v in found), "nothing was forecast: the test shows nothing"


RULES: dict[str, dict[str, Any]] = {
    "widening": fixed() | {"when": {"health_factor_below": {"base": "1.2", "per_volatility": "0.2", "max": "1.55"}}},
    "by a loan": fixed("1.08", "1.60", actions=["deleverage"], limits={"max_slippage_bps": 500}),
    "volatility": fixed() | {"when": {"liquidation_probability_above": {"probability": "0.05", "horizon": "24h"}}},
}


@pytest.mark.slow  # plays days
@pytest.mark.parametrize("name", RULES)
def test_no_deed_knows_prices_or_fees_that_come(name: str) -> None:
    """Prices, base fees and the lender's dollars: what is done until a day rests on that day."""
    rows, cut = crash(walk(11, seed=2, volatility=0.6), 8.4, 0.35), 9.0
    gas = [[BEGIN + hour * 3600, str(10 + hour % 7)] for hour in range(11 * 24)]
    later = [[at, fee if at < BEGIN + cut * DAY else "400"] for at, fee in gas]
    seen = list[list[PlayedDeed]]()
    for of, fees in ((rows, gas), (shifted(rows, cut), later), (rows[: int(cut * 24) + 1], gas)):
        read = understood(document(of, [way(RULES[name])], gas=fees, lends_usd="10000000"))
        lives = [play_on(read, ground_of(read, inside), 0).life for inside in Inside]
        seen.append([deed for life in lives for deed in life.deeds if deed.at < BEGIN + cut * DAY - 60])
    assert seen[0] == seen[1] == seen[2]
    assert seen[0], "nothing happened before the cut: the test shows nothing"
