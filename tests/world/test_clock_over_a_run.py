"""The machine's clock is put an hour, or days, forward or back while the daemon runs: nothing it does goes by it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scenes import Keeper, Scene

pytestmark = pytest.mark.world
JUMPING = """
import time
_real = time.time


def _jumped():
    with open({path!r}) as file:
        return _real() + float(file.read() or 0)


time.time = _jumped
"""
HOUR, DAYS = 3600, 3 * 86_400


@pytest.fixture
def jump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Puts the clock of every program started from here on so many seconds off, at any time."""
    site, off = tmp_path / "site", tmp_path / "off"
    site.mkdir()
    (site / "sitecustomize.py").write_text(JUMPING.format(path=str(off)))
    off.write_text("0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep))

    def to(seconds: float) -> None:
        (tmp_path / "next").write_text(str(seconds))
        (tmp_path / "next").rename(off)

    return to


def settled_nonce(scene: Scene, keeper: Keeper) -> int:
    """The nonce once approvals that the rescue left are taken back: within the blocks after it, and once."""
    sent, still = scene.nonce(), 0
    while still < 3:
        seen = keeper.log.count('"event": "block"')
        scene.world.mine()
        keeper.wait_for('"event": "block"', count=seen + 1)
        still, sent = (still + 1, sent) if scene.nonce() == sent else (0, scene.nonce())
    return sent


@pytest.mark.parametrize(
    ("before", "during", "after"),
    [(HOUR, 0, -HOUR), (-HOUR, HOUR, 0), (DAYS, -DAYS, DAYS)],
    ids=["forward_and_back", "back_and_forward", "days"],
)
def test_a_clock_that_jumps_changes_nothing_that_is_done(
    scene: Scene, jump: Callable[[float], None], before: float, during: float, after: float
) -> None:
    """Blocks are judged on, a rescue goes out once and is seen to its end, and so does the next."""
    scene.open()
    scene.write()
    with scene.running("--live") as keeper:
        keeper.wait_for('"event": "block"')
        for off in (before, during, after, before):
            jump(off)
            seen = keeper.log.count('"event": "block"')
            scene.world.mine()
            keeper.wait_for('"event": "block"', count=seen + 1)
        scene.crash()
        jump(during)
        keeper.wait_for('"event": "concluded"')
        assert scene.health() > 1.59
        sent = settled_nonce(scene, keeper)
        for off in (after, before, during, after):
            jump(off)
            seen = keeper.log.count('"event": "block"')
            scene.world.mine()
            keeper.wait_for('"event": "block"', count=seen + 1)
        assert scene.nonce() == sent
        jump(before)
        scene.crash("1300")  # lower than what was acted on: no cooldown holds that up
        jump(after)
        until = time.monotonic() + 90
        while scene.health() < 1.59 and time.monotonic() < until:
            scene.world.mine()
            time.sleep(0.3)
        assert scene.health() > 1.59
        assert keeper.stop() == 0
        log = keeper.log
    assert "cycle_failed" not in log
    assert "Traceback" not in log
    ends = [row["outcome"] for row in scene.data("journal") if row["kind"] == "act"]
    # a plan whose block was overtaken before it was signed is refused, and decided anew: nothing was done by it
    plans = [end["kind"] for end in ends if end.get("reason") != "stale_state"]
    assert plans[-1] == "restored"
    assert set(plans) <= {"restored", "partial"}, ends
