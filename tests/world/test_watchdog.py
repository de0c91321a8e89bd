"""A real keeper under a socket that plays systemd's part: fed by judged blocks alone, silent when it hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from proxy import RpcProxy, hang
from scenes import Scene

pytestmark = [pytest.mark.world, pytest.mark.slow]
FINE, FAILED = 0, 1
WATCHDOG_S = 6.0
HANGS = """
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(3600))  # whatever the loop is at, it does not go on
"""


class Systemd:
    """What systemd does with a Type=notify service: it hears, and counts how long it heard nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.heard = list[dict[str, str]]()

    def close(self) -> None:
        self._socket.close()

    def hear(self, seconds: float) -> dict[str, str] | None:
        """Return the next word within a time."""
        self._socket.settimeout(seconds)
        try:
            word = dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())
        except TimeoutError:
            return None
        self.heard.append(word)
        return word

    def drain(self) -> None:
        """Hear what was said until now."""
        while self.hear(0.3):
            pass

    def wait_for(self, key: str, seconds: float = 60.0) -> dict[str, str]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            word = self.hear(until - time.monotonic())
            if word and key in word:
                return word
        raise AssertionError(f"no {key} in {self.heard}")


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    (tmp_path / "sitecustomize.py").write_text(HANGS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_S * 10**6)))
    with contextlib.closing(Systemd(tmp_path / "notify")) as found:
        yield found


@contextlib.contextmanager
def mining(scene: Scene) -> Iterator[None]:
    """A block each second, whatever the keeper does."""
    scene.world.rpc("evm_setIntervalMining", 1)
    try:
        yield
    finally:
        scene.world.rpc("evm_setIntervalMining", 0)


def test_a_loop_that_hangs_is_silent_and_its_next_start_is_ready_again(scene: Scene, systemd: Systemd) -> None:
    """Fed at each block with head and health; hung, the watchdog hears nothing, kills it, and starts it anew."""
    scene.open()
    with mining(scene), scene.running("--dry-run") as keeper:
        ready = systemd.wait_for("READY")
        assert ready["WATCHDOG"] == "1"
        assert "dry_run, block " in ready["STATUS"]
        assert "eth-loop 1.2" in ready["STATUS"]
        for _ in range(3):
            assert systemd.hear(WATCHDOG_S), "each judged block feeds it"
        keeper.process.send_signal(signal.SIGUSR1)
        systemd.drain()
        assert systemd.hear(WATCHDOG_S) is None, "it hangs, and nothing else feeds the watchdog"
        assert keeper.process.poll() is None, "by itself it would hang for ever"
        found = scene.keeper("alive", "--within", "3s")
        assert (found.exit_code, "nothing is watched" in found.stdout) == (FAILED, True)
        keeper.process.send_signal(signal.SIGABRT)  # what WatchdogSec does
        keeper.process.wait(10)
    with mining(scene), scene.running("--dry-run") as keeper:
        assert systemd.wait_for("READY")["WATCHDOG"] == "1"
        assert scene.keeper("alive").exit_code == FINE
        assert keeper.stop() == FINE
        assert systemd.wait_for("STOPPING")["STATUS"] == "finishing what is in flight"


def test_a_node_that_hangs_feeds_no_watchdog(scene: Scene, systemd: Systemd, proxy: RpcProxy) -> None:
    """The process is well and sees nothing: that is no life either. It is fed again when blocks are judged again."""
    scene.url = proxy.url
    scene.open()
    with mining(scene), scene.running("--dry-run") as keeper:
        systemd.wait_for("READY")
        proxy.fault = hang(3600)
        systemd.drain()
        assert systemd.hear(WATCHDOG_S) is None
        assert keeper.process.poll() is None
        proxy.fault = None
        assert systemd.wait_for("WATCHDOG", 90)


def test_nothing_that_the_process_starts_can_feed_it(scene: Scene, systemd: Systemd) -> None:
    """NotifyAccess=main is in the unit, and no child knows the socket."""
    unit = (Path(__file__).parents[2] / "deploy" / "position-keeper.service").read_text()
    assert "NotifyAccess=main" in unit
    scene.open()
    with scene.running("--dry-run") as keeper:
        systemd.wait_for("READY")
        found = subprocess.run(["pgrep", "-P", str(keeper.process.pid)], capture_output=True, text=True, check=False)
        for child in found.stdout.split():
            assert b"NOTIFY_SOCKET" not in Path(f"/proc/{child}/environ").read_bytes()
    assert "NOTIFY_SOCKET" in os.environ


def test_alive_says_what_is_lacking(scene: Scene) -> None:
    """No journal, no judged block: each its own word."""
    found = scene.open().keeper("alive")
    assert (found.exit_code, "no keeper has run" in found.stdout) == (FAILED, True)
    assert scene.keeper("alive", "--within", "soon").exit_code == 2
