"""A second keeper on the same signer refuses to start."""

import json
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


@pytest.mark.parametrize("there", [True, False])
def test_a_lock_that_is_a_link_is_refused_and_what_it_points_at_stays(tmp_path: Path, there: bool) -> None:
    """Whoever may write the folder must not have the keeper empty a file of its choice, or make one."""
    lock, victim = SignerLock(1, SIGNER, tmp_path / "locks"), tmp_path / "keystore.json"
    (tmp_path / "locks").mkdir(mode=0o700)
    if there:
        victim.write_text('{"pid": 1, "crypto": "everything"}')
    lock.path.symlink_to(victim)
    with pytest.raises(LockDirectoryError, match="link"):
        lock.acquire()
    assert victim.exists() == there
    assert not there or victim.read_text() == '{"pid": 1, "crypto": "everything"}'


def test_a_lock_with_another_name_is_refused_and_stays(tmp_path: Path) -> None:
    """A hard link follows no link and is the victim all the same."""
    lock, victim = SignerLock(1, SIGNER, tmp_path), tmp_path / "victim"
    victim.write_text("precious")
    lock.path.hardlink_to(victim)
    with pytest.raises(LockDirectoryError, match="file of its own"):
        lock.acquire()
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("content", ["precious", '{"crypto": {}}', "x" * 5000, "[" * 4000, '{"pid": "a"}'])
def test_what_no_keeper_wrote_is_not_overwritten(tmp_path: Path, content: str) -> None:
    """Also where it was put in the lock's place by mistake."""
    lock = SignerLock(1, SIGNER, tmp_path)
    lock.path.write_text(content)
    with pytest.raises(LockDirectoryError, match="no keeper wrote"):
        lock.acquire()
    assert lock.path.read_text() == content


@pytest.mark.parametrize("left", ["", "\0" * 64, '{"pid": 12345, "started": "2026-01-01"}'])
def test_what_a_crash_leaves_is_taken_over(tmp_path: Path, left: str) -> None:
    """A power cut may leave zeros, an earlier keeper its own words, longer than ours."""
    lock = SignerLock(1, SIGNER, tmp_path)
    lock.path.write_text(left + " " * (200 if left.startswith("{") else 0))
    with lock:
        assert json.loads(lock.path.read_text())["pid"] == os.getpid()


def test_a_pipe_in_the_locks_place_is_refused_at_once(tmp_path: Path) -> None:
    """Opening one may wait for ever."""
    lock = SignerLock(1, SIGNER, tmp_path)
    os.mkfifo(lock.path)
    with pytest.raises(LockDirectoryError):
        lock.acquire()


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_may_write_holds_no_lock(tmp_path: Path, mode: int) -> None:
    """They could take the file away, and a second keeper would find the signer free."""
    folder = tmp_path / "locks"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(LockDirectoryError, match="chmod go-w"):
        SignerLock(1, SIGNER, folder).acquire()


def test_a_lock_open_to_others_is_closed(tmp_path: Path) -> None:
    """It says which process to kill."""
    lock = SignerLock(1, SIGNER, tmp_path)
    lock.path.touch()
    lock.path.chmod(0o666)
    with lock:
        assert lock.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_lock_of_another_user_is_refused(tmp_path: Path, what: str) -> None:
    """Whoever owns it can change it under us."""
    lock = SignerLock(1, SIGNER, tmp_path / "locks")
    lock.path.parent.mkdir(mode=0o700)
    lock.path.touch()
    os.chown(lock.path.parent if what == "folder" else lock.path, 12345, 12345)
    with pytest.raises(LockDirectoryError, match="another user"):
        lock.acquire()
