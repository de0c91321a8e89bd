"""Forecasters: what each makes of a history, and what an owner's own may do."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from keeper.core.prices import Doubt
from keeper.core.risk.forecast import FORECASTERS, of_own
from keeper.core.risk.market import Source, movement
from keeper.core.risk.series import Series, series
from keeper.service import forecasters
from keeper.service.forecasters import NoForecasterError, forecaster_of

DAY, HOUR = 86_400, 3_600


def walked(volatility: float, days: int = 40, seed: int = 1, storm_days: int = 0) -> Series:
    """Hourly prices of a steady volatility, three times as large at the end where there is a storm."""
    dice, price, rows = random.Random(seed), 2000.0, list[tuple[int, int]]()
    for hour in range(days * 24):
        size = volatility * (3 if hour >= (days - storm_days) * 24 else 1)
        price *= math.exp(dice.gauss(0, size / math.sqrt(365 * 24)))
        rows.append((HOUR * (hour + 1), round(price * 10**8)))
    return series(rows)


@pytest.mark.parametrize("name", FORECASTERS)
def test_each_finds_a_steady_volatility(name: str) -> None:
    """Of forty days of hours, within a third."""
    found = [FORECASTERS[name](s, s.ends, DAY, HOUR) for s in (walked(0.8, seed=i) for i in range(8))]
    known = [f for f in found if not isinstance(f, Doubt)]
    assert len(known) == len(found)
    assert sum(known) / len(known) == pytest.approx(0.8, rel=0.3)


@pytest.mark.parametrize("name", FORECASTERS)
def test_each_rises_in_a_storm(name: str) -> None:
    """Two stormy days: tomorrow is expected to move more than it did before."""
    calm, storm = walked(0.6), walked(0.6, storm_days=2)
    before, after = (FORECASTERS[name](s, s.ends, DAY, HOUR) for s in (calm, storm))
    assert isinstance(before, float)
    assert isinstance(after, float)
    assert after > before * 1.2


@pytest.mark.parametrize("name", FORECASTERS)
def test_none_knows_the_future_and_none_calls_silence_calm(name: str) -> None:
    """What comes later changes nothing; a still price and a short history are unknown."""
    whole = walked(0.8)
    cut = whole.ends - 10 * DAY
    assert FORECASTERS[name](whole, cut, DAY, HOUR) == FORECASTERS[name](whole.until(cut), cut, DAY, HOUR)
    still = series((HOUR * (i + 1), 2000 * 10**8) for i in range(24 * 40))
    assert isinstance(FORECASTERS[name](still, still.ends, DAY, HOUR), Doubt)
    assert isinstance(FORECASTERS[name](Series(()), DAY, DAY, HOUR), Doubt)


def test_an_owners_own_sees_only_what_was_known_and_is_used() -> None:
    """Times, prices, now, horizon; its figure is the movement's volatility."""
    seen = list[tuple[int, int, int]]()

    def own(times: Sequence[int], prices: Sequence[float], now: int, horizon_s: int) -> float:
        seen.append((max(times), now, horizon_s))
        return 1.25

    whole = walked(0.8)
    now = whole.ends - 3 * DAY
    assert movement(Source(whole.until(now), HOUR, "x"), now, of_own(own)).volatility == 1.25
    assert seen == [(now, now, DAY)]


@pytest.mark.parametrize("answer", [math.nan, 0.0, -1.0, math.inf, 1e9, "calm", None])
def test_nonsense_of_an_own_one_is_unknown(answer: Any) -> None:
    """Never a calm market."""
    whole = walked(0.8)
    assert isinstance(of_own(lambda *_: answer)(whole, whole.ends, DAY, HOUR), Doubt)


def test_one_that_fails_is_unknown_and_says_why() -> None:
    """Whatever it raises."""

    def broken(*_: object) -> float:
        raise ZeroDivisionError("no model")

    whole = walked(0.8)
    found = of_own(broken)(whole, whole.ends, DAY, HOUR)
    assert isinstance(found, Doubt)
    assert "ZeroDivisionError no model" in found.detail


def test_one_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name that a package of the owner's gives it; what is none, or no callable, is one clear line."""
    points = {
        "mine": EntryPoint("mine", "math:hypot", forecasters.GROUP),
        "number": EntryPoint("number", "math:pi", forecasters.GROUP),
        "gone": EntryPoint("gone", "nowhere:at_all", forecasters.GROUP),
    }
    monkeypatch.setattr(
        forecasters, "entry_points", lambda *, group, name="": [p for n, p in points.items() if name in ("", n)]
    )
    assert callable(forecaster_of("mine"))
    assert forecaster_of("har") is FORECASTERS["har"]
    for name, said in (("number", "no callable"), ("gone", "cannot be loaded"), ("astrology", "there are usual, ewma")):
        with pytest.raises(NoForecasterError, match=said):
            forecaster_of(name)
