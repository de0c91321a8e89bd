"""What holds keys, passwords or signed bytes is its owner's alone."""

import os
import sqlite3
from pathlib import Path

import pytest

from keeper.journal import open_journal
from keeper.journal.private import made_private
from tests.journal.conftest import decision


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture(autouse=True)
def _usual_umask() -> object:
    before = os.umask(0o022)
    yield None
    os.umask(before)


async def test_a_new_journal_is_its_owners_alone(tmp_path: Path) -> None:
    """Its log and shared memory too: they hold the same signed bytes."""
    file = tmp_path / "new" / "keeper.db"
    async with await open_journal(str(file)) as journal:
        await journal.decisions.record(decision())
        names = {each.name: mode_of(each) for each in file.parent.iterdir()}
        assert names == {"keeper.db": 0o600, "keeper.db-wal": 0o600, "keeper.db-shm": 0o600}
        assert journal.exposed == ()
    assert mode_of(file.parent) == 0o700


async def test_a_journal_of_before_is_closed_to_others_and_that_is_told(tmp_path: Path) -> None:
    """One of mode 0644 with its log beside it."""
    file = tmp_path / "keeper.db"
    holder = sqlite3.connect(file)
    holder.execute("PRAGMA journal_mode = WAL")
    holder.execute("CREATE TABLE x (y)")
    holder.commit()
    files = [file, file.with_name("keeper.db-wal"), file.with_name("keeper.db-shm")]
    assert [mode_of(each) for each in files] == [0o644] * 3
    async with await open_journal(str(file)) as journal:
        assert [mode_of(each) for each in files] == [0o600] * 3
        assert len(journal.exposed) == 3
        assert "0644" in journal.exposed[0]
    holder.close()
    async with await open_journal(str(file)) as journal:
        assert journal.exposed == ()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666, 0o622])
def test_a_keystore_or_password_open_to_others_is_closed_and_that_is_told(tmp_path: Path, mode: int) -> None:
    """Once: afterwards there is nothing to say."""
    file = tmp_path / "keystore.json"
    file.write_text("{}")
    file.chmod(mode)
    (said,) = made_private(file)
    assert f"{mode:04o}" in said
    assert str(file) in said
    assert mode_of(file) == 0o600
    assert made_private(file) == ()


def test_a_folder_that_others_may_write_is_told(tmp_path: Path) -> None:
    """It is not ours to change: another file can stand in the keystore's place tomorrow."""
    file = tmp_path / "open" / "password"
    file.parent.mkdir()
    file.parent.chmod(0o777)
    file.write_text("x")
    file.chmod(0o600)
    (said,) = made_private(file)
    assert "chmod go-w" in said
    assert mode_of(file.parent) == 0o777


def test_what_the_system_hands_over_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential of systemd is protected by its folder."""
    file = tmp_path / "password"
    file.write_text("x")
    file.chmod(0o444)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert made_private(file) == ()
    assert mode_of(file) == 0o444


def test_a_pipe_and_a_missing_file_are_nobodys_to_see(tmp_path: Path) -> None:
    """A password may come through a pipe: it is not opened twice."""
    os.mkfifo(tmp_path / "pipe")
    assert made_private(tmp_path / "pipe") == ()
    assert made_private(tmp_path / "none") == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_is_not_ours_to_close_is_told(tmp_path: Path) -> None:
    """With what its owner has to do."""
    file = tmp_path / "password"
    file.write_text("x")
    file.chmod(0o644)
    os.chown(file, 12345, 12345)
    (said,) = made_private(file)
    assert "chmod 600" in said
