"""The stand-in for Compound v3 does what the real one was recorded doing: every figure, event and refusal."""

from __future__ import annotations

import pytest
from comet_recordings import MORE, SCENARIOS, constants
from comet_replay import Compared, play

pytestmark = pytest.mark.world
FOUND: dict[str, Compared] = {}
LEAST_READS, LEAST_REFUSALS, LEAST_TRANSACTIONS = 2_000, 65, 45


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recording_played_on_it_gives_the_same_figures(name: str) -> None:
    """Each read after what was done, each refusal's data, each event of each transaction."""
    if constants(name) is None:
        pytest.skip("neither it nor the formula checks say what its market is made of")
    found = FOUND[name] = play(name)
    assert not found.differ, "\n".join(found.differ[:20])
    assert MORE or not found.unknown, "\n".join(found.unknown[:20])


def test_enough_was_compared() -> None:
    """A replay that compares nothing would pass."""
    if set(FOUND) == set(SCENARIOS):  # all of them ran in this process
        assert sum(f.reads for f in FOUND.values()) >= LEAST_READS
        assert sum(f.refusals for f in FOUND.values()) >= LEAST_REFUSALS
        assert sum(f.transactions for f in FOUND.values()) >= LEAST_TRANSACTIONS
