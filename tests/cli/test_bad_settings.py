"""Whatever stands in the settings: one clear line for each fault, exit 2, the place named, and never a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import bad_values as bad
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from keeper.cli.main import app

BAD_SETTINGS = 2
COMMANDS = (
    ["check"], ["status"], ["run"], ["once"], ["explain", "eth-loop"], ["journal"], ["doctor"], ["tx", "list"],
    ["run", "--live"],
)  # fmt: skip


def keeper(config: Path, *command: str, **env: str) -> Result:
    """Run a command as the owner does; whatever comes, no traceback."""
    found = CliRunner().invoke(app, [*command, "-c", str(config)], env={"KEEPER_RPC_URL": "http://127.0.0.1:9", **env})
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exc_info
    assert "Traceback" not in found.output
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file in which every key is set and all is well."""
    raw, network = bad.scene(tmp_path)
    (tmp_path / "own.toml").write_text(bad.written(network), encoding="utf-8")
    path = tmp_path / "keeper.toml"
    path.write_text(bad.written(raw), encoding="utf-8")
    return path


def spoil(config: Path, place: bad.Place, value: Any, *, network: bool = False) -> Path:
    """Spoil one place of the file, or of the network file."""
    raws = bad.scene(config.parent)
    (config.parent / "own.toml" if network else config).write_text(
        bad.written(bad.spoiled(raws[network], place, value)), encoding="utf-8"
    )
    return config


def test_the_file_that_is_spoiled_here_is_fine(config: Path) -> None:
    """Else the tests below would find faults of its own."""
    found = keeper(config, "check")
    assert found.exit_code == 0, found.output


def says_one_line_each(found: Result, folder: Path) -> None:
    """Fine, or exit 2 with lines that name file or variable, each short enough to read."""
    assert found.exit_code in (0, BAD_SETTINGS), found.output
    lines = found.stderr.splitlines()
    if found.exit_code == BAD_SETTINGS:
        assert lines
        assert all(line.startswith(str(folder)) or "(environment): " in line for line in lines), lines
    assert all(len(line) <= 1000 and line.isprintable() for line in lines)


RAW, NETWORK = bad.everything(), {"x": 1}
PLACES = sorted(bad.places(RAW), key=str)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=st.sampled_from(bad.NONSENSE))
def test_any_nonsense_at_any_place_is_one_clear_line(config: Path, place: bad.Place, value: Any) -> None:
    """Found by `check`, without a node."""
    try:
        spoil(config, place, value)
    except (KeyError, IndexError):
        return  # the scene is without it
    says_one_line_each(keeper(config, "check"), config.parent)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=st.sampled_from(bad.NONSENSE))
def test_any_nonsense_in_the_network_file_is_one_clear_line(config: Path, data: st.DataObject, value: Any) -> None:
    """It is a file of the owner's too."""
    place = data.draw(st.sampled_from(sorted(bad.places(bad.scene(config.parent)[1]), key=str)))
    says_one_line_each(keeper(spoil(config, place, value, network=True), "check"), config.parent)


@pytest.mark.parametrize("value", [b"\xff\xfe\x00", b"[network", b"a = 1e" + b"9" * 5000, b"x = " + b"[" * 5000, b"\0"])
def test_a_file_that_is_none_is_one_clear_line(config: Path, value: bytes) -> None:
    """Bytes that are no TOML, or no text at all."""
    config.write_bytes(value)
    says_one_line_each(keeper(config, "check"), config.parent)
    (config.parent / "own.toml").write_bytes(value)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KEEPER_ALERT_URLS", "hello world"),
        ("KEEPER_ALERT_URLS", "foo://s3cret"),
        ("KEEPER_RPC_URL", "ftp://s3cret"),
        ("KEEPER_JOURNAL_URL", "mysql://s3cret@host/db"),
        ("KEEPER_JOURNAL_URL", "postgresql://s3cret@host:port/db"),
    ],
)
def test_a_bad_variable_is_named_by_every_command(config: Path, command: list[str], variable: str, value: str) -> None:
    """The variable, not the file; and never what it holds, which may be a secret."""
    found = keeper(config, *command, **{variable: value})
    assert found.exit_code == BAD_SETTINGS
    (line,) = found.stderr.splitlines()
    assert line.startswith(f"{variable} (environment): ")
    assert "s3cret" not in found.output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_bad_alarm_address_of_the_file_is_named_by_every_command(config: Path, command: list[str]) -> None:
    """`foo://bar` is understood by nobody: said at once, not when the first alarm is due."""
    found = keeper(spoil(config, ("alerts", "urls"), ["json://fine.example", "foo://s3cret"]), *command)
    assert (found.exit_code, found.stderr.partition(": 'foo://'")[0]) == (BAD_SETTINGS, f"{config}: alerts.urls[1]")
    assert "s3cret" not in found.output


@pytest.mark.parametrize("place", [("signers", 0, "keystore"), ("signers", 0, "password_file"), ("journal", "url")])
@pytest.mark.parametrize("what", ["folder", "no text", "device", "missing folder's file"])
def test_a_file_that_cannot_serve_is_named_by_check(config: Path, place: bad.Place, what: str) -> None:
    """A folder where a file is meant, bytes that are no text, a device: by key and path, without a node."""
    folder = config.parent
    (folder / "folder").mkdir()
    (folder / "no text").write_bytes(b"\xff\xfe\xfa" * 20)
    (folder / "missing folder's file").write_text("", encoding="utf-8")
    name = {"device": "/dev/null", "missing folder's file": "missing folder's file/x"}.get(what, what)
    found = keeper(spoil(config, place, name), "check")
    assert found.exit_code == BAD_SETTINGS, found.output
    (line,) = found.stderr.splitlines()
    assert str(place[-1]) in line


def test_a_missing_keystore_is_found_by_check(config: Path) -> None:
    """And whose it is; it would be missed when --live begins."""
    found = keeper(spoil(config, ("signers", 1, "keystore"), "nowhere.json"), "check")
    assert found.exit_code == BAD_SETTINGS
    assert found.stderr == f"{config}: signer 'owner': keystore: {config.parent / 'nowhere.json'} does not exist\n"


def test_a_keystore_of_another_account_is_found_by_check(config: Path) -> None:
    """Its address stands in it, without the password."""
    (config.parent / "owner.json").write_text('{"version": 3, "crypto": {}, "address": "' + "ab" * 20 + '"}')
    found = keeper(config, "check")
    assert found.exit_code == BAD_SETTINGS
    assert "holds the key of 0xabab" in found.stderr


def test_a_password_that_is_no_text_ends_a_live_run_with_one_line(config: Path) -> None:
    """Exit 2: no restart makes it readable."""
    (config.parent / "password").write_bytes(b"\xff\xfe")
    raw, _ = bad.scene(config.parent)
    raw["positions"] = raw["positions"][:1]
    raw["positions"][0]["signer"] = "guardian"
    raw["rules"], raw["books"] = raw["rules"][:1], []
    config.write_text(bad.written(raw), encoding="utf-8")
    (config.parent / "password").write_bytes(b"\xff\xfe")
    found = keeper(config, "run", "--live", KEEPER_STATE_DIR=str(config.parent / "state"))
    assert found.exit_code == BAD_SETTINGS
    assert found.stderr.splitlines()[-1].startswith(f"{config}: signer 'guardian': password file ")


@pytest.mark.slow
def test_a_metrics_port_in_use_is_found_by_check_and_ends_a_run_with_one_line(config: Path) -> None:
    """Not with a traceback once all is open, and not with a restart for ever."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        spoil(config, ("daemon", "metrics_port"), port)
        for command in ("check", "run"):
            found = keeper(config, command)
            assert found.exit_code == BAD_SETTINGS, found.output
            assert found.stderr.splitlines()[-1].startswith(f"{config}: daemon.metrics_port: {port} cannot be used: ")


@pytest.mark.parametrize("command", [["journal"], ["tx", "list"], ["status"], ["run"]], ids=" ".join)
def test_a_journal_that_is_another_file_is_a_fault_of_its_setting(config: Path, command: list[str]) -> None:
    """From the file, or from the environment: whichever named it."""
    other = config.parent / "notes.txt"
    other.write_text("not a database at all, and long enough to be one" * 10, encoding="utf-8")
    found = keeper(spoil(config, ("journal", "url"), "notes.txt"), *command)
    assert found.exit_code == BAD_SETTINGS
    assert found.stderr.splitlines()[-1].startswith(f"{config}: journal.url: ")
    found = keeper(config, *command, KEEPER_JOURNAL_URL=str(other))
    assert found.stderr.splitlines()[-1].startswith("KEEPER_JOURNAL_URL (environment): ")


def test_a_lock_without_a_place_names_its_setting(config: Path) -> None:
    """daemon.state_dir where it is set."""
    (config.parent / "file").write_text("", encoding="utf-8")
    found = keeper(spoil(config, ("daemon", "state_dir"), "file/state"), "check")
    assert found.exit_code == BAD_SETTINGS
    assert found.stderr.startswith(f"{config}: daemon.state_dir: ")


def test_a_path_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    """Given on the command line, as bytes that are no UTF-8."""
    command = [sys.executable, "-m", "keeper", "check", "-c", b"\xff\xfe"]
    found = subprocess.run(command, capture_output=True, cwd=tmp_path, check=False)
    assert found.returncode == BAD_SETTINGS
    assert b"Traceback" not in found.stderr
