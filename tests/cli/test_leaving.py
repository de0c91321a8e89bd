"""Who is asked to leave leaves, whatever of it does not end."""

import subprocess
import sys

import pytest

STUCK = """
import threading
from keeper.cli import leaving
leaving.WITHIN_S = 0.2
{owns}
leaving.begin()
threading.Thread(target=threading.Event().wait, args=({seconds},), name="stuck").start()
"""


def ended(owns: str, seconds: str) -> subprocess.CompletedProcess[str]:
    """A program that is over, but for a thread."""
    program = STUCK.format(owns=owns, seconds=seconds)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.slow
def test_a_thread_that_never_ends_does_not_keep_the_keeper() -> None:
    """It says what it left without, and ends with a code that says so too."""
    done = ended("leaving.owns_process()", "None")
    assert done.returncode == 1
    assert "stuck" in done.stderr


@pytest.mark.slow
def test_a_process_that_is_somebody_elses_is_not_ended() -> None:
    """A test, or a program that uses the keeper as a library."""
    assert ended("", "1").returncode == 0


@pytest.mark.slow
def test_who_ends_in_time_ends_as_it_would() -> None:
    """Nothing is said, and the code stays."""
    done = ended("leaving.owns_process()", "0")
    assert (done.returncode, done.stderr) == (0, "")
