"""The circuit breaker: a move too large in too short a time, and for how long nothing is traded on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.breaker import Breaker, BreakerTerms
from keeper.core.reasons import Reason
from keeper.core.units import Address, Bps

ASSET, OTHER = Address("0xA"), Address("0xB")
TERMS = BreakerTerms(Bps(1_000), 300, 1_800)


def seen(*prices: tuple[int, int]) -> Breaker:
    breaker = Breaker(TERMS)
    for at, price in prices:
        breaker.saw(at, {ASSET: price})
    return breaker


def test_a_slow_fall_trips_nothing() -> None:
    """Nine percent every five minutes: a market that falls, and is sold in."""
    breaker = seen(*((i * 301, int(1000 * 0.91**i)) for i in range(8)))
    assert breaker.doubt(ASSET, 7 * 301, int(1000 * 0.91**7)) is None


@pytest.mark.parametrize("price", [899, 1101])
def test_a_fast_move_either_way_forbids_trades_for_the_pause(price: int) -> None:
    """From its block on, for as long as the owner said; what is forbidden is trading, and the reason is its own."""
    breaker = seen((0, 1000), (60, 1000), (120, price))
    doubt = breaker.doubt(ASSET, 120, price)
    assert doubt is not None
    assert doubt.reason is Reason.BREAKER_TRIPPED
    assert breaker.doubt(ASSET, 120 + 1_799, price) is not None
    assert breaker.doubt(ASSET, 120 + 1_800, price) is None
    assert breaker.doubt(OTHER, 120, 1000) is None


def test_a_price_of_now_counts_before_it_was_written_down() -> None:
    """Whoever judges on an oracle's own event asks before the block is seen."""
    assert seen((0, 1000)).doubt(ASSET, 12, 890) is not None


def test_a_price_that_stood_counts_until_it_changed() -> None:
    """A feed says nothing for an hour, then jumps: the price before held until then."""
    breaker = seen((0, 1000))
    assert breaker.doubt(ASSET, 3_600, 890) is not None


def test_a_move_that_goes_on_begins_the_pause_anew_and_is_news_once() -> None:
    """Each further block of it; the owner hears of it once."""
    breaker = Breaker(TERMS)
    news = [breaker.saw(at, {ASSET: price}) for at, price in [(0, 1000), (60, 880), (120, 850), (180, 840)]]
    assert news == [False, True, False, False]
    assert breaker.tripped[ASSET][0] == 180


def test_it_outlives_a_restart_and_nonsense_in_the_journal_trips_nothing() -> None:
    """What was written down is taken up."""
    again = Breaker(TERMS)
    again.recall(seen((0, 1000), (60, 800)).plain)
    assert again.doubt(ASSET, 100, 800) is not None
    for nonsense in (None, [], {"0xA": 5}, {"0xA": ["x", 1]}, {"0xA": [1]}):
        broken = Breaker(TERMS)
        broken.recall(nonsense)
        assert broken.doubt(ASSET, 100, 800) is None


def test_no_price_is_no_move() -> None:
    """Zero is a doubt of its own, and not a fall to nothing."""
    breaker = seen((0, 1000), (12, 0))
    assert breaker.doubt(ASSET, 24, 1000) is None


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(800, 1200)), min_size=2, max_size=40))
def test_it_trips_exactly_where_brute_force_does(steps: list[tuple[int, int]]) -> None:
    """Against every price that held within the time, second by second."""
    breaker, now, path = Breaker(TERMS), 0, list[tuple[int, int]]()
    for wait, price in steps:
        now += wait
        held = [p for i, (at, p) in enumerate(path) if i + 1 == len(path) or path[i + 1][0] > now - TERMS.within_s]
        worst = max((abs(price - was) * 10_000 // was for was in held), default=0)
        assert breaker._moved(ASSET, now, price) == worst
        breaker.saw(now, {ASSET: price})
        path.append((now, price))
