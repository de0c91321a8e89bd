"""The machine's clock jumps: an alarm is said again all the same, and none is lost."""

from __future__ import annotations

import pytest
from owner_stage import Stage


@pytest.mark.parametrize("jump_s", [-10 * 365 * 86_400, -3_000, 365 * 86_400])
def test_a_clock_that_jumps_silences_no_trouble(stage: Stage, jump_s: float) -> None:
    """A trouble that stays is heard within the hour after the jump, whichever way it went; another begins as ever."""
    stage.observer.raise_alarm("k", "it burns", "now")
    stage.clock.now += jump_s
    for _ in range(400):
        stage.clock.now += 12
        stage.observer.raise_alarm("k", "it burns", "now")
    stage.observer.raise_alarm("other", "it floods", "now")
    titles = stage.titles
    assert sum("it burns" in title for title in titles) in (2, 3, 4), titles
    assert titles[-1] == "it floods"
