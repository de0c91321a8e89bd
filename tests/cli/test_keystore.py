"""``keeper keystore``: a key encrypted before it is on disk, in nobody else's reach, and shown to nobody."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from keeper.cli.main import app
from keeper.core.units import Address
from keeper.execution.signer import open_keystore

FINE, BAD_SETTINGS = 0, 2
KEY = "0x" + "11" * 32
ADDRESS = Address("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")
PASSWORD = "correct horse battery"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    return file


def keeper(*words: str, typed: str = "") -> Result:
    found = CliRunner().invoke(app, ["keystore", *words], input=typed)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    assert KEY[2:] not in found.output
    assert PASSWORD not in found.output
    return found


@pytest.mark.slow
def test_a_key_that_is_imported_signs_for_its_address(tmp_path: Path, password: Path) -> None:
    """What was typed opens under the password in the file, and the settings to write are shown."""
    file = tmp_path / "me.json"
    found = keeper("import", str(file), "--password-file", str(password), typed=KEY + "\n")
    assert found.exit_code == FINE, found.output
    assert f'address = "{ADDRESS}"' in found.stdout
    assert open_keystore("me", ADDRESS, file, PASSWORD).address == ADDRESS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KEY[2:] not in file.read_text()


@pytest.mark.slow
def test_a_script_gets_the_address_and_nothing_secret(tmp_path: Path, password: Path) -> None:
    """``--json``: one object, and nothing beside it."""
    file = tmp_path / "me.json"
    found = keeper("import", str(file), "--password-file", str(password), "--json", typed=KEY + "\n")
    said = json.loads(found.stdout)
    assert said == {"keystore": str(file), "address": ADDRESS, "password_file": str(password)}


@pytest.mark.slow
def test_a_new_key_is_nobody_elses(tmp_path: Path, password: Path) -> None:
    """Two new keystores are of two accounts."""
    addresses = set[str]()
    for name in ("one.json", "other.json"):
        assert keeper("new", str(tmp_path / name), "--password-file", str(password)).exit_code == FINE
        addresses.add(json.loads((tmp_path / name).read_text())["address"])
    assert len(addresses) == 2


def test_a_keystore_that_is_there_is_never_written_over(tmp_path: Path, password: Path) -> None:
    """A key that is lost is money that is lost."""
    file = tmp_path / "me.json"
    file.write_text("mine")
    found = keeper("new", str(file), "--password-file", str(password))
    assert found.exit_code == BAD_SETTINGS
    assert "never written over" in found.stderr
    assert file.read_text() == "mine"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_password_that_others_may_read_is_refused(tmp_path: Path, password: Path, mode: int) -> None:
    """With the remedy, and before anything is written."""
    password.chmod(mode)
    found = keeper("new", str(tmp_path / "me.json"), "--password-file", str(password))
    assert found.exit_code == BAD_SETTINGS
    assert "chmod 600" in found.stderr
    assert not (tmp_path / "me.json").exists()


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path, password: Path) -> None:
    """Whoever can put a file in its place can put a key in its place."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    found = keeper("new", str(folder / "me.json"), "--password-file", str(password))
    assert found.exit_code == BAD_SETTINGS
    assert "chmod go-w" in found.stderr


@pytest.mark.parametrize("typed", ["", "nonsense", KEY[:-2], KEY + "00", "0x" + "00" * 32, "0x" + "ff" * 32])
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path: Path, password: Path, typed: str) -> None:
    """Half a key is a secret too: the message does not quote it."""
    found = keeper("import", str(tmp_path / "me.json"), "--password-file", str(password), typed=typed + "\n")
    assert found.exit_code == BAD_SETTINGS
    assert not typed or typed not in found.output
    assert not (tmp_path / "me.json").exists()


def test_an_empty_password_protects_nothing(tmp_path: Path, password: Path) -> None:
    """It is refused."""
    password.write_text("\n")
    found = keeper("new", str(tmp_path / "me.json"), "--password-file", str(password))
    assert found.exit_code == BAD_SETTINGS
    assert "empty" in found.stderr


def test_where_nobody_types_the_password_comes_from_a_file(tmp_path: Path) -> None:
    """A script gets the option to use, and no prompt that waits for ever."""
    found = keeper("new", str(tmp_path / "me.json"))
    assert found.exit_code == BAD_SETTINGS
    assert "--password-file" in found.stderr
