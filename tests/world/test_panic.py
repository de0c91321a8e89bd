"""``keeper panic`` on real contracts: shown, confirmed, carried out here or by the keeper that runs."""

from __future__ import annotations

import time

import pytest
from scenes import DOLLAR, RULE, Scene

pytestmark = pytest.mark.world
FINE, FAILED, BAD_SETTINGS = 0, 1, 2
WAY_OUT = '\n[[panic]]\nposition = "eth-loop"\nactions = ["repay", "deleverage"]\n'


@pytest.fixture
def calm(scene: Scene) -> Scene:
    """Far from any rule, with a way out declared."""
    scene.rules = RULE + WAY_OUT
    return scene.open(debt={"USDC": 6_000 * DOLLAR})


def test_without_live_it_is_only_shown_and_without_a_word_not_done(calm: Scene) -> None:
    """No transaction, no order, nothing paused."""
    before = calm.nonce()
    found = calm.keeper("panic", "eth-loop")
    assert "keeper panic fires" in found.stdout
    assert calm.keeper("panic", "eth-loop", "--live").exit_code == FAILED
    assert calm.keeper("panic", "nobody").exit_code == BAD_SETTINGS
    assert calm.nonce() == before
    assert calm.data("status")["paused"] == []


def test_where_no_keeper_runs_it_is_done_here(calm: Scene) -> None:
    """The debt is gone, what else could act is paused, and a restart does not do it again."""
    found = calm.keeper("panic", "eth-loop", "--live", "--yes")
    assert found.exit_code == FINE, found.output
    assert calm.world.debt("USDC", calm.owner) == 0
    assert calm.data("status")["paused"][0]["name"] == "eth-loop"
    assert "Nothing was ordered." in calm.keeper("panic", "--off").stdout


def test_where_one_runs_it_is_ordered_of_it(calm: Scene) -> None:
    """By the journal: it begins with its next block, and says when it is done."""
    with calm.running("--live") as keeper:
        keeper.wait_for('"event": "block"')
        found = calm.keeper("panic", "--all", "--live", "--yes")
        assert "Ordered of the keeper that runs" in found.stderr
        calm.world.mine()
        for _ in range(20):
            if "what you ordered is done" in keeper.log:
                break
            calm.world.mine()
            keeper.wait_for('"event"')
            time.sleep(0.5)
        assert "what you ordered is done" in keeper.log
        assert keeper.stop() == FINE
    assert calm.world.debt("USDC", calm.owner) == 0
