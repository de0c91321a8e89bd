"""A few runs of `make chaos`: faults on the wire, reorgs, a fee spike, foreign use of the key, a journal that fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from play import play

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]

RUNS = [(2, "weather"), (17, "reorg"), (11, "reverts"), (8, "foreign"), (7, "recovers"), (301, "two_keepers")]


@pytest.mark.parametrize(("seed", "scenario"), RUNS, ids=str)
def test_whatever_happens_the_invariants_hold(seed: int, scenario: str, tmp_path: Path) -> None:
    """Each intent at most once, chain and journal agree, nothing unaccounted, and the position is kept."""
    assert play(seed, tmp_path, scenario).violations == []
