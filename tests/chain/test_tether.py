"""A program started beside us ends with us, also when we are killed outright."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keeper.chain.tether import CANNOT_RUN, tethered

pytestmark = pytest.mark.slow
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other kernels do not end it")
STARTS_ONE = """
import subprocess, sys, time
from keeper.chain.tether import tethered
print(subprocess.Popen(tethered([sys.executable, "-c", "import time; time.sleep(60)"])).pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    """A zombie is none: nobody may be there to collect it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@on_linux
def test_what_a_killed_program_started_ends_with_it() -> None:
    """SIGKILL leaves nobody the time to stop anything."""
    with subprocess.Popen([sys.executable, "-c", STARTS_ONE], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        pid = int(owner.stdout.readline())
        assert is_alive(pid)
        owner.kill()
        owner.wait()
        until = time.monotonic() + 5
        while is_alive(pid) and time.monotonic() < until:
            time.sleep(0.01)
        survived = is_alive(pid)
        if survived:
            os.kill(pid, signal.SIGKILL)
        assert not survived


def test_a_tethered_program_is_the_process_itself() -> None:
    """Its pid, its exit code and its signals are the program's own."""
    with subprocess.Popen(tethered([sys.executable, "-c", "import os; print(os.getpid()); raise SystemExit(7)"]),
                          stdout=subprocess.PIPE) as made:  # fmt: skip
        assert made.stdout
        assert int(made.stdout.readline()) == made.pid
        assert made.wait() == 7


@on_linux
def test_a_program_that_cannot_be_run_is_an_error_at_once(tmp_path: Path) -> None:
    """Missing, a folder, or without the right to run it; what is no program ends with a code of its own."""
    file = tmp_path / "anvil"
    for path in (file, tmp_path):
        with pytest.raises(OSError, match="No such file"):
            tethered([str(path)])
    file.write_bytes(b"\x7fELF nonsense")
    with pytest.raises(PermissionError):
        tethered([str(file)])
    file.chmod(0o700)
    done = subprocess.run(tethered([str(file)]), capture_output=True, text=True, check=False)
    assert done.returncode == CANNOT_RUN
    assert "Exec format error" in done.stderr
