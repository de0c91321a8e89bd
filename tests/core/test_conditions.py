"""Troubles that begin, get worse, stay, come back and end: when each is news."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keeper.core.conditions import Condition, News, from_plain, is_worse, off, on, plain
from keeper.core.units import WAD

REPEAT_S = 3600.0


def at(now: float, distance: int | None = None) -> Condition:
    return Condition("k", "loop", "it", since=now, told_at=now, last_on=now, distance=distance)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 30)), max_size=400))
def test_whatever_comes_and_goes_is_bounded(steps: list[tuple[bool, float]]) -> None:
    """Two tellings for each relapse, and relapses ever rarer: never more than a few an hour."""
    now, known, told = 0.0, None, list[News]()
    for is_on, wait in steps:
        now += wait
        if is_on:
            known, news = on(known, at(now), REPEAT_S, None)
        elif known is not None:
            known, news = off(known, now, REPEAT_S)
        else:
            continue
        told += [news] if news else []
    assert len(told) <= 24 + 24 * now / REPEAT_S


@given(st.lists(st.booleans(), max_size=200))
def test_begun_and_over_take_turns(steps: list[bool]) -> None:
    """The owner is never told that all is clear while the last he heard was that, nor the beginning twice."""
    now, known, open_ = 0.0, None, False
    for is_on in steps:
        now += 5
        if is_on:
            known, news = on(known, at(now), REPEAT_S, None)
        elif known is not None:
            known, news = off(known, now, REPEAT_S)
        else:
            continue
        if news in (News.BEGUN, News.OVER):
            assert open_ == (news is News.OVER)
            open_ = not open_


def test_near_is_worse_and_nearer_still_only_when_it_can_be_liquidated() -> None:
    """Three quarters of what was last told; below one percent only zero."""
    assert is_worse(WAD // 5, WAD // 3)
    assert not is_worse(WAD * 3 // 10, WAD // 3)
    assert not is_worse(WAD // 200, WAD // 90)
    assert is_worse(0, WAD // 200)
    assert not is_worse(0, 0)
    assert not is_worse(None, WAD)


def test_it_is_read_as_it_was_written() -> None:
    """Wad distances outgrow what JSON numbers hold exactly everywhere."""
    of = at(5.0, WAD // 7)
    assert from_plain(plain(of)) == of
    assert from_plain({"key": "x"}) is None
    assert from_plain(None) is None
