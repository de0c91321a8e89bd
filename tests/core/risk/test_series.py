"""What is a price history, and what is none."""

from __future__ import annotations

import math

import pytest

from keeper.core.risk.series import BadHistoryError, bars, of_bars, series


@pytest.mark.parametrize(
    ("rows", "row", "why"),
    [
        ([(100, 5), (200, 0)], 2, "a price of 0"),
        ([(100, -5)], 1, "a price of -5"),
        ([(100, math.nan)], 1, "a price of nan"),
        ([(100, 5.0)], 1, "a price of 5.0"),
        ([(200, 5), (100, 5)], 2, "100 s before"),
        ([(200, 5), (200, 5)], 2, "the same time"),
        ([(1_600_000_000_000, 5)], 1, "no number of seconds"),
        ([(100, 10**31)], 1, "a price of"),
    ],
)
def test_what_is_no_history_is_refused_with_its_row(rows: list[tuple[int, int]], row: int, why: str) -> None:
    """A price of zero, NaN, rows out of order or twice, milliseconds: never a calm market."""
    with pytest.raises(BadHistoryError, match=why) as refused:
        series(rows)
    assert refused.value.row == row


@pytest.mark.parametrize("row", [(0, 5, 6, 4, 5), (100, 5, 6, 5, 4), (100, 7, 6, 4, 5), (100, 5, 6, 0, 5)])
def test_a_bar_holds_its_ends_between_low_and_high(row: tuple[int, ...]) -> None:
    """A bar that contradicts itself is refused."""
    with pytest.raises(BadHistoryError):
        bars([row], 60)


def test_bars_that_overlap_are_refused() -> None:
    """Minutes in a file of hours are another file."""
    with pytest.raises(BadHistoryError, match="row 2 begins 60 s"):
        bars([(3600, 5, 6, 4, 5), (3660, 5, 6, 4, 5)], 3600)


def test_a_bar_is_known_when_it_has_ended() -> None:
    """Its close is no price of its beginning: that would be looking ahead."""
    assert [(t.at, t.price) for t in of_bars(bars([(3600, 5, 6, 4, 7 - 1)], 3600)).ticks] == [(7200, 6)]


def test_what_was_known_at_a_time_has_nothing_later() -> None:
    """until looks back, since keeps the price that held."""
    history = series([(100, 1), (200, 2), (300, 3)])
    assert [t.at for t in history.until(200).ticks] == [100, 200]
    assert [t.at for t in history.since(250).ticks] == [200, 300]
    assert history.longest_gap(1000) == 700


def test_steps_hold_the_price_that_held() -> None:
    """Nothing is drawn between two rounds that was not said."""
    history = series([(100, 10), (250, 20)])
    assert history.every(100, 400) == pytest.approx([math.log(10), math.log(10), math.log(20), math.log(20)])
