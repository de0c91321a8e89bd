"""What is remembered of a position from block to block, and what a gap, a turn or another market does to it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from perp_builders import long, perp_rule, short

from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.metrics import fallen
from keeper.core.perp.position import PerpPosition
from keeper.core.trail import SAMPLES, Sample, Trail
from keeper.core.units import WAD
from keeper.engine.history import _plain, _trail, remembered  # what goes into the journal and comes back

HOUR = 3600
WINDOW = 8 * HOUR
TRAILING = perp_rule(perp_metrics.TRAILING_STOP, "0.08", name="trail")
FUNDING = perp_rule(perp_metrics.FUNDING, "0.60", name="dear", window_s=WINDOW)


def rates(*seen: tuple[int, int], window: int = WINDOW) -> Trail:
    trail = Trail()
    for at, rate in seen:
        trail = trail.with_sample("r", at, rate, window, "m long")
    return trail


def test_the_best_price_of_a_long_only_rises_and_of_a_short_only_falls() -> None:
    """Whatever comes between."""
    up = down = Trail()
    for price in (100, 120, 90, 110):
        up, down = (
            up.with_best("r", price, "m long", is_highest=True),
            down.with_best("r", price, "m short", is_highest=False),
        )
    assert (up.best["r"], down.best["r"]) == (120, 90)


def test_a_price_that_is_no_better_changes_nothing() -> None:
    """So that nothing is written down."""
    trail = Trail().with_best("r", 100, "m long", is_highest=True)
    assert trail.with_best("r", 99, "m long", is_highest=True) is trail


def test_a_position_that_turned_round_begins_anew() -> None:
    """The best price of a long is no best price of a short."""
    trail = Trail().with_best("r", 100, "m long", is_highest=True).with_best("r", 105, "m short", is_highest=False)
    assert trail.best["r"] == 105


def test_another_market_begins_anew() -> None:
    """Where the rule names none, and the account moved from bitcoin to ether."""
    trail = (
        Trail().with_best("r", 60_000, "btc long", is_highest=True).with_best("r", 2_000, "eth long", is_highest=True)
    )
    assert trail.best["r"] == 2_000


def test_funding_paid_by_the_other_side_is_not_ours() -> None:
    """What a long paid says nothing of the short that came after it."""
    trail = rates((0, WAD), (HOUR, WAD)).with_sample("r", 2 * HOUR, -WAD, WINDOW, "m short")
    assert trail.samples["r"] == (Sample(2 * HOUR, -WAD),)


def test_funding_is_not_told_before_half_of_its_window_was_seen() -> None:
    """A minute's spike is no average of eight hours."""
    trail = rates((0, WAD))
    assert trail.seen("r").average(WINDOW // 2 - 1, WINDOW) is None
    assert trail.seen("r").average(WINDOW // 2, WINDOW) == WAD
    assert Trail().seen("r").average(10, WINDOW) is None


def test_a_long_gap_is_not_filled_with_the_last_rate() -> None:
    """What was not seen is not known; it is known again when the gap has left most of the window."""
    trail = rates((0, WAD), (HOUR, WAD), (7 * HOUR, WAD))
    assert trail.seen("r").average(7 * HOUR, WINDOW) is None
    assert trail.seen("r").average(11 * HOUR, WINDOW) == WAD


def test_the_average_is_weighted_by_time_and_rounded_against_us() -> None:
    """Two hours at one, two hours at two, and a rest that is rounded up."""
    assert rates((0, 10), (2 * HOUR, 20)).seen("r").average(4 * HOUR, WINDOW) == 15
    assert rates((0, 0), (4 * HOUR - 1, 1)).seen("r").average(4 * HOUR, WINDOW) == 1


def test_a_clock_that_goes_back_does_no_harm() -> None:
    """A reorganisation, or a node that lags."""
    trail = rates((5 * HOUR, 10))
    assert trail.with_sample("r", 4 * HOUR, 99, WINDOW, "m long") is trail
    assert trail.seen("r").average(4 * HOUR, WINDOW) is None


def test_a_position_that_is_gone_is_forgotten() -> None:
    """The next one has its own best price."""
    trail = rates((0, 1)).with_best("r", 100, "m long", is_highest=True)
    assert trail.without("r") == Trail()
    assert trail.without("other") is trail


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(-WAD, WAD)), min_size=1, max_size=300))
def test_an_average_lies_between_what_was_seen_and_samples_are_bounded(steps: list[tuple[int, int]]) -> None:
    """Any rhythm of blocks."""
    now, trail = 0, Trail()
    for wait, rate in steps:
        now += wait
        trail = trail.with_sample("r", now, rate, HOUR, "m long")
    found = trail.seen("r").average(now, HOUR)
    seen = [s.rate for s in trail.samples["r"]]
    assert len(seen) <= SAMPLES + 3
    assert found is None or min(seen) <= found <= max(seen) + 1


@given(
    st.dictionaries(st.text(max_size=5), st.integers(1, 10**40), max_size=3),
    st.lists(st.tuples(st.integers(0, 10**10), st.integers(-(10**30), 10**30)), max_size=5),
)
def test_a_trail_comes_back_from_the_journal_as_it_went(best: dict[str, int], seen: list[tuple[int, int]]) -> None:
    """Through JSON, where large integers are text."""
    trail = Trail(best, dict.fromkeys(best, "m long"), {"r": tuple(Sample(at, rate) for at, rate in seen)})
    assert _trail(json.loads(json.dumps(_plain(trail)))) == trail


def test_what_an_earlier_version_wrote_is_begun_anew() -> None:
    """Nothing, or something in another shape."""
    assert _trail(None) == _trail({"best": {"r": "1"}, "side": {"r": True}, "samples": {}}) == Trail()


def see(trail: Trail, position: PerpPosition, *, is_sure: bool = True) -> Trail:
    return remembered((TRAILING, FUNDING), position, trail, is_sure=is_sure)


def test_a_price_in_doubt_is_no_best_price() -> None:
    """One false answer of 20,000 dollars would make every later price a fall of nine tenths."""
    trail = see(Trail(), long(price="2000"))
    trail = see(trail, long(price="20000"), is_sure=False)
    assert trail.best["trail"] == 2000 * 10**8
    assert fallen(long(price="1900").legs[0], trail.best["trail"]) == WAD // 20


def test_a_restart_keeps_the_best_price_and_a_closed_position_loses_it() -> None:
    """What the stop trails behind is the position's, not the process's."""
    trail = _trail(json.loads(json.dumps(_plain(see(Trail(), short(price="1800"))))))
    assert see(trail, short(price="2000")).best["trail"] == 1800 * 10**8
    assert see(trail, short(size="0")) == Trail()
    assert see(see(trail, short(size="0")), short(price="2000")).best["trail"] == 2000 * 10**8
