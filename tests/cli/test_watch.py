"""`keeper watch`: all at a glance in a terminal, over ssh, in a narrow one, without colour; once, or until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from page_scene import NAMES, scene, settings_at
from typer.testing import CliRunner

from keeper.cli.main import app

ESCAPE = "\x1b"
HOSTILE = "\u202e[2Jred alert"


def seen(folder: Path, *words: str, columns: int = 120) -> tuple[int, str]:
    """What it prints to a pipe, and its exit code."""
    found = CliRunner().invoke(
        app, ["watch", "-c", str(folder / "keeper.toml"), *words], env={"COLUMNS": str(columns), "TERM": "dumb"}
    )
    return found.exit_code, found.output


def night(folder: Path, **given: object) -> None:
    asyncio.run(scene(folder, now=int(time.time()), **given))  # type: ignore[arg-type]


@pytest.mark.parametrize("columns", [200, 120, 80, 69, 40])
def test_it_says_all_at_once_in_a_terminal_of_any_width(tmp_path: Path, columns: int) -> None:
    """No line is wider than the window, and no colour is needed to read it."""
    night(tmp_path)
    code, shown = seen(tmp_path, "--once", columns=columns)
    assert code == 0
    assert ESCAPE not in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= columns
    together = re.sub(r"\s+", " ", shown)
    for said in (
        "LIVE",
        "eth-loop",
        "DANGER",
        "1.185",
        "sell WETH to repay USDC",
        "dark-loan",
        "UNKNOWN",
        "pending",
        "calm-loan",
    ):
        assert said in together, said


@pytest.mark.parametrize(("mode", "word"), [("live", "LIVE"), ("dry_run", "DRY RUN")])
def test_a_dry_run_is_never_taken_for_a_live_keeper(tmp_path: Path, mode: str, word: str) -> None:
    """By its words, where there is no colour."""
    night(tmp_path, mode=mode)
    _, shown = seen(tmp_path, "--once")
    assert shown.split("ethereum")[0].strip() == word


def test_what_nobody_watches_is_said_and_is_the_exit_code(tmp_path: Path) -> None:
    """No journal, no view, an old one: a script notices."""
    settings_at(tmp_path)
    code, shown = seen(tmp_path, "--once")
    assert (code, "NOTHING SEEN YET" in shown, "no journal yet" in shown) == (1, True, True)
    assert all(name in shown for name in NAMES)
    asyncio.run(scene(tmp_path, now=int(time.time()) - 3600))
    code, shown = seen(tmp_path, "--once")
    assert (code, "NOT WATCHED" in shown) == (1, True)


def test_its_json_is_the_page_s_own(tmp_path: Path) -> None:
    """The same plain data."""
    night(tmp_path)
    code, shown = seen(tmp_path, "--json")
    (found,) = json.loads(shown)
    assert (code, found["state"], found["view"]["subjects"][0]["name"]) == (0, "live", "eth-loop")


def test_what_is_in_a_text_is_not_obeyed(tmp_path: Path) -> None:
    """A symbol or an error may come from anybody's contract."""
    asyncio.run(scene(tmp_path, ("eth-loop", "calm-loan", "dark-loan"), now=int(time.time())))
    import sqlite3  # noqa: PLC0415 - here alone

    with sqlite3.connect(tmp_path / "keeper.sqlite") as journal:
        journal.execute("UPDATE decisions SET summary = ?", (f"{ESCAPE}]0;gone\x07{HOSTILE}",))
    _, shown = seen(tmp_path, "--once")
    assert "red alert" in shown
    assert not {ESCAPE, "\x07", "\u202e"} & set(shown)


@pytest.mark.slow
def test_it_stays_until_it_is_ended_and_then_ends_well(tmp_path: Path) -> None:
    """In a real terminal: drawn anew, in colour; Ctrl-C is no failure, and the screen is given back."""
    night(tmp_path)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "keeper", "watch", "-c", str(tmp_path / "keeper.toml")]
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        shown, until = b"", time.monotonic() + 60
        while b"eth-loop" not in shown and time.monotonic() < until:
            if select.select([ours], [], [], 1)[0]:
                shown += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
        try:
            while select.select([ours], [], [], 20)[0] and (more := os.read(ours, 65_536)):
                shown += more
        except OSError:  # the other end is closed
            pass
        assert process.wait(20) == 0
    os.close(ours)
    assert b"LIVE" in shown
    assert b"\x1b[?1049h" in shown
    assert b"\x1b[?1049l" in shown
    assert b"41m" in shown  # white on red


def test_the_page_without_its_packages_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, one line; `keeper watch` needs none of them."""
    night(tmp_path)
    for name in ("fastapi", "uvicorn", "jinja2", "starlette"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in [n for n in sys.modules if n.startswith("keeper.web.") and n.split(".")[-1] not in ("cards", "sight")]:
        monkeypatch.delitem(sys.modules, name)
    found = CliRunner().invoke(app, ["web", "-c", str(tmp_path / "keeper.toml")])
    assert found.exit_code == 2
    assert "pip install 'position-keeper[web]'" in found.stderr
    assert seen(tmp_path, "--once")[0] == 0
