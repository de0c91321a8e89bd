"""The whole keeper over WebSocket: the daemon saves a position, a dry run forks from a ws:// address."""

from __future__ import annotations

import time

import pytest
from scenes import Scene

pytestmark = pytest.mark.world
FINE = 0


@pytest.fixture
def over_websocket(scene: Scene) -> Scene:
    scene.url = scene.world.url.replace("http", "ws")
    return scene


def test_a_position_is_saved_over_websocket(over_websocket: Scene) -> None:
    """The crash is pushed; what the keeper does about it goes over the same connection."""
    scene = over_websocket.open()
    with scene.running("--live") as keeper:
        keeper.wait_for('"event": "block"')
        scene.crash()
        keeper.wait_for('"event": "concluded"', seconds=30)
        give_up = time.monotonic() + 30  # a first plan may have met the crash half way: it is decided anew
        while scene.health() <= 1.25 and time.monotonic() < give_up:
            scene.world.mine()
            time.sleep(0.2)
        assert keeper.stop() == FINE
    assert scene.health() > 1.25


def test_a_dry_run_forks_from_a_websocket_address(over_websocket: Scene) -> None:
    """anvil takes ws:// as well as http://."""
    scene = over_websocket.open().crash()
    before = scene.health()
    code, row = scene.once()
    assert code == FINE
    assert row["outcome"]["kind"] == "rehearsed"
    assert scene.health() == pytest.approx(before, rel=1e-4)
