"""Pauses: what they cover, how long, and what is made of what cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.core.pauses import ABOUT, ALL, RULE, Pause, from_plain, holding, plain, with_pause, without

NOW = 1_800_000_000
OF_RULE, OF_LOOP, OF_ALL = Pause(RULE, "protect", NOW), Pause(ABOUT, "loop", NOW), Pause(ALL, "", NOW)


@pytest.mark.parametrize(
    ("pause", "covered"),
    [
        (OF_RULE, [("loop", "protect"), ("other", "protect")]),
        (OF_LOOP, [("loop", "protect"), ("loop", "boost")]),
        (OF_ALL, [("loop", "protect"), ("loop", "boost"), ("other", "protect")]),
    ],
    ids=["a rule", "a position", "everything"],
)
def test_a_pause_covers_what_it_names_and_nothing_else(pause: Pause, covered: list[tuple[str, str]]) -> None:
    """A rule of that name, every rule of that position, or all there is."""
    every = [("loop", "protect"), ("loop", "boost"), ("other", "protect")]
    assert [pair for pair in every if holding((pause,), *pair, NOW)] == covered


def test_a_pause_ends_by_itself_at_its_time() -> None:
    """To the second; without one it stays until its owner ends it."""
    short, long = Pause(ALL, "", NOW, NOW + 60), Pause(ALL, "", NOW)
    assert holding((short,), "loop", "protect", NOW + 59) is short
    assert holding((short,), "loop", "protect", NOW + 60) is None
    assert holding((long,), "loop", "protect", NOW + 10**9) is long


def test_a_pause_of_the_same_takes_the_place_of_the_one_before() -> None:
    """To pause for longer is no second pause; to resume ends it whole, and of everything ends all."""
    longer = Pause(RULE, "protect", NOW + 5, NOW + 600)
    there = with_pause(with_pause((), OF_RULE), longer)
    assert there == (longer,)
    assert without(with_pause(there, OF_LOOP), RULE, "protect") == (OF_LOOP,)
    assert without(with_pause(there, OF_LOOP), ALL, "") == ()


def test_what_is_written_is_what_is_read() -> None:
    """Through the journal's JSON."""
    pauses = (OF_RULE, OF_LOOP, Pause(ALL, "", NOW, NOW + 1))
    assert from_plain(plain(pauses)) == pauses
    assert plain(()) is None
    assert from_plain(None) == ()


@pytest.mark.parametrize(
    "written",
    ["", 7, {"kind": "all"}, [7], [{"kind": "half", "name": "", "since": 1, "until": None}], [{"kind": RULE}]],
)
def test_what_cannot_be_read_pauses_everything(written: Any) -> None:
    """Somebody asked for something to rest: not knowing what is no leave to act."""
    assert holding(from_plain(written), "loop", "protect", NOW)
