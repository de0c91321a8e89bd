"""``--help`` teaches: each command says what it does, shows itself at work, and prints data for scripts."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from keeper.cli.commands import app
from keeper.cli.common import EXIT_CODES, Exit
from tools import reference

COMMANDS = dict(reference.commands(get_command(app), "keeper"))
SILENT = {
    "keeper example",
    "keeper schema",
    "keeper run",
    "keeper web",
}
"""What prints a document of its own, or serves: no data for scripts."""


def example_of(command: Any) -> str:
    found = re.search(r"Example: (keeper [^\n]+)", command.help)
    return found[1] if found else ""


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_shows_itself_at_work(words: str) -> None:
    """An example on a line of its own, with words and options that there are."""
    command = COMMANDS[words]
    example = example_of(command)
    assert example.startswith(words), command.help
    options = {name for of in command.params for name in (*of.opts, *of.secondary_opts)}
    given = [word for word in shlex.split(example.split(">")[0]) if word.startswith("-")]
    assert set(given) <= options


@pytest.mark.parametrize("words", COMMANDS)
def test_every_option_says_what_it_means(words: str) -> None:
    """None is left to be guessed."""
    assert [of.name for of in COMMANDS[words].params if not of.help] == []


def test_what_prints_data_prints_it_for_scripts_too() -> None:
    """`--json`."""
    without = {w for w, of in COMMANDS.items() if not any("--json" in one.opts for one in of.params)}
    assert without == SILENT


def test_exit_codes_are_stable_and_said() -> None:
    """Scripts rely on the numbers; `keeper --help` says each."""
    assert {code.value: words for code, words in EXIT_CODES.items()} == {
        0: "fine",
        1: "failed",
        2: "bad settings",
        3: "a position is in danger and could not be helped",
    }
    assert set(EXIT_CODES) == set(Exit)
    said = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    for code, words in EXIT_CODES.items():
        assert f"{code.value} {words}" in said.replace("│", "").replace("  ", " ")
