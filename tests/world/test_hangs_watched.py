"""More ways to hang under the watchdog: a name that never resolves in a thread, a database that is locked, a sleep."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from proxy import Answer, Request, RpcProxy
from scenes import Scene
from test_watchdog import FAILED, FINE, WATCHDOG_S, Systemd, mining, systemd

__all__ = ["systemd"]
pytestmark = [pytest.mark.world, pytest.mark.slow]
NAMES_KEPT_S = 12.0
"""A name that was looked up is good for ten seconds."""
STUCK_NAMES = """
import signal, socket, time
real, stuck = socket.getaddrinfo, []
def looked_up(*args, **named):
    while stuck:
        time.sleep(0.1)  # in whatever thread asked
    return real(*args, **named)
socket.getaddrinfo = looked_up
signal.signal(signal.SIGUSR1, lambda *_: stuck.append(1))
signal.signal(signal.SIGUSR2, lambda *_: stuck.clear())
"""
SLEEPS = """
import asyncio, signal, time
signal.signal(signal.SIGUSR1, lambda *_: asyncio.get_running_loop().call_soon(time.sleep, 3600))
"""


@pytest.fixture
def planted(systemd: Systemd, tmp_path: Path) -> Path:
    """What the process runs at its start; written before it is started."""
    return tmp_path / "sitecustomize.py"


def cut(_: Request) -> Answer:
    return 0, "", b""


def is_silent(systemd: Systemd) -> bool:
    systemd.drain()
    return systemd.hear(WATCHDOG_S) is None


def alive(scene: Scene) -> int:
    return scene.keeper("alive", "--within", "5s").exit_code


def test_a_name_that_never_resolves_in_a_thread_feeds_no_watchdog(
    scene: Scene, systemd: Systemd, planted: Path, proxy: RpcProxy
) -> None:
    """The loop turns and sees nothing: no cycle ends, nobody is fed; fed again when the name resolves."""
    planted.write_text(STUCK_NAMES)
    scene.url = proxy.url.replace("127.0.0.1", "localhost")
    scene.open()
    with mining(scene), scene.running("--dry-run") as keeper:
        systemd.wait_for("READY")
        keeper.process.send_signal(signal.SIGUSR1)
        proxy.fault = cut  # what is open is closed: the name is looked up anew
        systemd.drain()
        time.sleep(NAMES_KEPT_S)
        proxy.fault = None
        assert is_silent(systemd), "the name still hangs, and it alone"
        assert alive(scene) == FAILED
        assert keeper.process.poll() is None
        keeper.process.send_signal(signal.SIGUSR2)
        assert systemd.wait_for("WATCHDOG", 90)


def test_a_sleep_within_the_loop_feeds_no_watchdog(scene: Scene, systemd: Systemd, planted: Path) -> None:
    """A callback that never returns: threads live on, and none of them feeds it."""
    planted.write_text(SLEEPS)
    scene.open()
    with mining(scene), scene.running("--dry-run") as keeper:
        systemd.wait_for("READY")
        keeper.process.send_signal(signal.SIGUSR1)
        assert is_silent(systemd)
        assert alive(scene) == FAILED
        assert keeper.process.poll() is None
        os.kill(keeper.process.pid, signal.SIGABRT)
        keeper.process.wait(10)


def test_a_database_that_is_locked_is_no_life_where_cycles_stop(scene: Scene, systemd: Systemd) -> None:
    """Another process holds the journal: no cycle of a rule that fires ends, nobody is fed, alive fails."""
    scene.open()
    with mining(scene), scene.running("--live") as keeper:
        systemd.wait_for("READY")
        journal = next(p for p in scene.folder.rglob("*") if p.suffix in (".db", ".sqlite", ".sqlite3"))
        held = sqlite3.connect(journal, isolation_level=None)
        held.execute("BEGIN EXCLUSIVE")
        scene.crash()
        assert is_silent(systemd)
        assert systemd.hear(WATCHDOG_S) is None, "a block at which nothing could be seen to feeds nobody"
        assert alive(scene) == FAILED
        held.execute("ROLLBACK")
        held.close()
        assert systemd.wait_for("WATCHDOG", 90)
        keeper.wait_for('"concluded"', 60)
        assert keeper.stop(60) == FINE
