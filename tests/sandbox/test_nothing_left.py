"""Whatever becomes of a run, nothing of its anvil is left: no process, no file of its states."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.anvil import Anvil, free_port
from sandbox.paths import HERE
from sandbox.world import sweep

pytestmark = pytest.mark.world
BLOCKS = 620
"""More than anvil keeps in memory: by default it writes the older states into the home folder."""
RUNS = f"""
import time
from sandbox.anvil import Anvil
anvil = Anvil()
anvil.rpc("anvil_mine", hex({BLOCKS}))
for _ in range(20):
    anvil.rpc("evm_mine")
print(anvil.process.pid, flush=True)
time.sleep(60)
"""


def command_of(pid: int) -> bytes:
    """What runs there; nothing where nothing does (a zombie has no command line)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there the kernel ends what we started")
def test_a_killed_run_leaves_no_anvil_and_no_states(tmp_path: Path) -> None:
    """75 GB of states once filled the disk."""
    environment = os.environ | {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONPATH": str(HERE.parent)}
    with subprocess.Popen([sys.executable, "-c", RUNS], stdout=subprocess.PIPE, env=environment) as run:
        assert run.stdout
        pid = int(run.stdout.readline())
        assert b"anvil" in command_of(pid)
        run.send_signal(signal.SIGKILL)
        run.wait()
    until = time.monotonic() + 5
    while command_of(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not command_of(pid)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_files_of_worlds_that_are_gone_are_removed(tmp_path: Path) -> None:
    """Each says where a node is, and the next may get its port."""
    anvil = Anvil()
    try:
        gone, there = tmp_path / f"world-{free_port()}.json", tmp_path / f"world-{anvil.port}.json"
        others = tmp_path / "world.json", tmp_path / "world-mine.json"
        for path in (gone, there, *others):
            path.write_text("{}")
        sweep(tmp_path)
        assert not gone.exists()
        assert all(path.exists() for path in (there, *others))
    finally:
        anvil.stop()
