"""Every way a channel can be down, all at once, in a crash: the rescue is as quick as without, and the owner hears."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from desks import BROKEN, Desk
from scenes import Scene

pytestmark = [pytest.mark.world, pytest.mark.slow]


def seconds_to_rescue(scene: Scene) -> float:
    with scene.running("--live") as keeper:
        keeper.wait_for('"event": "block"')
        begun = time.monotonic()
        scene.crash()
        keeper.wait_for('"concluded"', 60)
        took_s = time.monotonic() - begun
        assert keeper.stop(60) == 0, keeper.log[-2500:]
    return took_s


def test_channels_that_say_429_fail_tls_hang_and_drip_delay_no_rescue_and_the_one_that_works_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four are down and one works: help within seconds, heard at the one, and that the others do not deliver."""
    fine = Desk()
    with ExitStack() as down:
        urls = [*(down.enter_context(broken()) for broken in BROKEN), fine.url]
        monkeypatch.setenv("KEEPER_ALERT_URLS", " ".join(urls))
        scene.open()
        took_s = seconds_to_rescue(scene)
    assert took_s < 10, took_s
    assert scene.health() > 1.59
    assert any("rule protect helped" in text for text in fine.taken), fine.taken
    assert sum("does not deliver" in text for text in fine.taken) >= 2, fine.taken
    fine.server.shutdown()
