"""Killed at each named point of the path: the position is kept, and every intent lands once."""

from __future__ import annotations

from pathlib import Path

import pytest
from play import play
from scenarios import kill, kill_when_stuck

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]

LIVES = [
    ("before_journal:1", "after_journal:1", "after_broadcast:1", "tend:2"),
    ("after_marked:2", "before_receipt:1", "after_receipt:1", "after_settled:1"),
    ("after_journal:3", "reconcile:1", "between_steps:2", "tend:1"),
]


@pytest.mark.parametrize("places", LIVES, ids=lambda places: places[0])
def test_killed_and_started_again_it_goes_on(places: tuple[str, ...], tmp_path: Path) -> None:
    """Several lives, each ended at another point."""
    told = play(1, tmp_path, "kill", lambda stage: kill(stage, *places, batch=False))
    assert told.violations == []
    # all may be done before the last life comes to its point
    assert told.deaths in (list(places), list(places[:-1]))


def test_killed_around_a_higher_offer_it_goes_on(tmp_path: Path) -> None:
    """Before and after the bump of a transaction that is stuck."""
    told = play(2, tmp_path, "kill", lambda stage: kill_when_stuck(stage, "before_bump:1", "after_bump:1"))
    assert told.violations == []
    assert told.deaths == ["before_bump:1"]
