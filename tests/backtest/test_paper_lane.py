"""The lane on paper is a sender as the real one is: what the engine asks of one, it asks of the other."""

from __future__ import annotations

import inspect

import pytest

from keeper.backtest.lane import PaperLane
from keeper.execution.lane import Lane
from keeper.execution.sender import Sender

ASKED = sorted(name for name in dir(Sender) if not name.startswith("_"))


@pytest.mark.parametrize("name", ASKED)
def test_each_answers_what_the_engine_asks_of_a_sender(name: str) -> None:
    """An attribute that one of them has lost ends a plan in a defect: so it was when Safes came."""
    for lane in (Lane, PaperLane):
        made = set(inspect.getsource(lane.__init__).split()) | set(dir(lane))
        assert name in made or f"self.{name}" in made, f"{lane.__name__} has no {name}"


def test_neither_is_made_of_the_other() -> None:
    """Who inherits a lane without what makes it has its methods and none of its parts."""
    assert not issubclass(PaperLane, Lane)
    assert ASKED, "a sender is asked nothing"
