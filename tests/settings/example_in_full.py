"""The example of the settings with every line that it has commented out."""

from __future__ import annotations

from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "config" / "keeper.example.toml"
ONE_OR_THE_OTHER = ('password_file = "guardian.password"\n', 'rpc_url = "http://127.0.0.1:8545"\n')
"""Lines that stand there in the place of some that are commented out."""


def example_in_full() -> str:
    """Return it, with one of two where only one may be."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    code = [line.removeprefix("# ") if line.startswith("# ") and _is_code(line[2:]) else line for line in lines]
    text = "\n".join(code)
    for line in ONE_OR_THE_OTHER:
        assert line in text
        text = text.replace(line, "")
    return text


def _is_code(text: str) -> bool:
    return text.startswith("[") or " = " in text.partition("  #")[0][:26]
