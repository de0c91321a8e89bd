"""A second keeper on the same signer refuses to start."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keeper.execution.lock import LockDirectoryError, SignerLock, SignerLockedError, state_directory

ROOT = Path(__file__).resolve().parents[1]
SIGNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
HOLDER = """
import sys
from pathlib import Path
from keeper.execution.lock import SignerLock
SignerLock(1, sys.argv[1], Path(sys.argv[2])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_keeper(directory: Path, signer: str = SIGNER) -> Iterator["subprocess.Popen[str]"]:
    """A second process that has the lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, signer, str(directory)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_keeper_on_the_same_signer_is_refused(tmp_path: Path) -> None:
    """The message names the process that holds it, since when, and what to do."""
    with another_keeper(tmp_path) as other, pytest.raises(SignerLockedError) as refused:
        SignerLock(1, SIGNER, tmp_path).acquire()
    assert refused.value.pid == other.pid
    assert all(part in str(refused.value) for part in (SIGNER, f"process {other.pid}", "UTC", f"kill {other.pid}"))


def test_the_spelling_of_the_address_makes_no_second_signer(tmp_path: Path) -> None:
    """Checksummed or not, it is the same account."""
    with another_keeper(tmp_path, SIGNER.lower()), pytest.raises(SignerLockedError):
        SignerLock(1, SIGNER, tmp_path).acquire()


def test_a_killed_keeper_leaves_no_lock_behind(tmp_path: Path) -> None:
    """The kernel lets go; nobody has to remove a stale file."""
    with another_keeper(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        with SignerLock(1, SIGNER, tmp_path) as taken:
            assert str(os.getpid()) in taken.path.read_text()


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    """A keeper stopped in order makes room for the next."""
    with SignerLock(1, SIGNER, tmp_path), pytest.raises(SignerLockedError):
        SignerLock(1, SIGNER, tmp_path).acquire()
    with SignerLock(1, SIGNER, tmp_path):
        pass


def test_another_chain_or_signer_is_another_lock(tmp_path: Path) -> None:
    """One machine may keep several owners."""
    with another_keeper(tmp_path), SignerLock(10, SIGNER, tmp_path), SignerLock(1, "0x" + "11" * 20, tmp_path):
        pass


def test_programs_the_keeper_starts_do_not_hold_its_lock(tmp_path: Path) -> None:
    """A fork left running for a dry run must not keep the next keeper out."""
    lock = SignerLock(1, SIGNER, tmp_path)
    lock.acquire()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lock.release()
        with SignerLock(1, SIGNER, tmp_path):
            child.kill()


def test_a_lock_whose_holder_cannot_be_read_still_holds(tmp_path: Path) -> None:
    """The words in the file are for people; the lock is the kernel's."""
    with SignerLock(1, SIGNER, tmp_path) as lock:
        lock.path.write_text("")
        with pytest.raises(SignerLockedError, match="another process"):
            SignerLock(1, SIGNER, tmp_path).acquire()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Not knowing whether the signer is free is a refusal."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LockDirectoryError, match="KEEPER_STATE_DIR"):
        SignerLock(1, SIGNER, tmp_path / "file").acquire()


def test_the_owner_chooses_where_state_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KEEPER_STATE_DIR, else XDG_STATE_HOME, else the home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KEEPER_STATE_DIR", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert state_directory() == tmp_path / ".local" / "state" / "position-keeper"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state_directory() == tmp_path / "xdg" / "position-keeper"
    monkeypatch.setenv("KEEPER_STATE_DIR", str(tmp_path / "own"))
    assert SignerLock(1, SIGNER).path.parent == tmp_path / "own" / "locks"
