"""A shell completes commands, options and the names of the owner's own settings; a bad file completes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # processes of their own

SETTINGS = """
[[positions]]
name = "eth-loop"
[[positions]]
name = "btc-loan"
[[books]]
name = "eth-hedged"
[[rules]]
name = "protect"
[[rules]]
name = "protect"
[[rules]]
name = "warn"
"""


def completed(folder: Path, line: str, shell: str = "bash") -> list[str]:
    """What the shell is offered for a line whose last word is being typed."""
    words = line.split(" ")
    env = {**os.environ, "_KEEPER_COMPLETE": f"complete_{shell}", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    env |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    code = "import sys; sys.argv[0] = 'keeper'; from keeper.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in found.stderr, found.stderr
    return found.stdout.split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keeper.toml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("keeper expl", ["explain"]),
        ("keeper explain e", ["eth-loop", "eth-hedged"]),
        ("keeper explain -c elsewhere.toml e", []),
        ("keeper risk b", ["btc-loan"]),
        ("keeper pause --rule p", ["protect"]),
        ("keeper pause --position btc", ["btc-loan"]),
        ("keeper resume --rule w", ["warn"]),
        ("keeper pause e", ["eth-loop", "eth-hedged"]),
        ("keeper resume p", ["protect"]),
    ],
)
def test_commands_and_names_are_completed(folder: Path, line: str, offered: list[str]) -> None:
    """Each name once; of the file that is meant."""
    assert completed(folder, line) == offered


@pytest.mark.parametrize(
    "text", ["not = [toml", "positions = 5", "[[positions]]\nname = 7\n", "\0", "x = " + "[" * 5000]
)
def test_a_file_that_cannot_be_read_completes_nothing(tmp_path: Path, text: str) -> None:
    """And says nothing into the line that is being typed."""
    (tmp_path / "keeper.toml").write_text(text, encoding="utf-8")
    assert completed(tmp_path, "keeper explain e") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_shown(shell: str) -> None:
    """`keeper --show-completion` in that shell; `--install-completion` puts it where it belongs."""
    env = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "keeper", "--show-completion", shell]
    found = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stderr
    assert "_COMPLETE" in found.stdout


REAL = """
eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 keeper --show-completion bash)"
made=$(complete -p keeper) && function=${made#*-F } && function=${function%% *}
COMP_WORDS=(keeper explain e) COMP_CWORD=2 COMP_LINE="keeper explain e" COMP_POINT=16
"$function" keeper e explain
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_a_real_bash_completes_by_the_script_that_is_installed(folder: Path) -> None:
    """What `keeper --show-completion` shows is sourced, and its function asked as bash asks it."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "keeper"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.argv[0] = 'keeper'\nfrom keeper.cli import main\nmain()\n")
    program.chmod(0o755)
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    found = subprocess.run(
        ["bash", "-c", REAL], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert found.stdout.split() == ["eth-loop", "eth-hedged"], found.stderr
