"""Commands import what they need and no more: an owner in a hurry does not wait for a program to wake up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bad_values import EXAMPLE
from typer.testing import CliRunner

from keeper.cli.main import app

pytestmark = pytest.mark.slow  # processes of their own

HEAVY = ("web3", "eth_account", "sqlalchemy", "alembic", "aiohttp", "websockets", "apscheduler", "numpy", "structlog")
PROBE = """
import sys
from pathlib import Path
from keeper.cli import main
try:
    main()
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "more"),
    [(["--version"], ("keeper.settings",)), (["--help"], ("keeper.settings",)), (["check"], ())],
    ids=" ".join,
)
def test_a_command_that_asks_nobody_imports_next_to_nothing(words: list[str], more: tuple[str, ...]) -> None:
    """`--version`, `--help` and `check`: no client, no database, no keys."""
    found = subprocess.run([sys.executable, "-c", PROBE, *words], capture_output=True, text=True, check=True)
    loaded = set(found.stderr.split())
    assert sorted(loaded & {*HEAVY, *more}) == []


def test_the_version_is_printed_by_next_to_nothing() -> None:
    """Not even what reads the command line is loaded for it."""
    found = subprocess.run([sys.executable, "-c", PROBE, "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("keeper ")
    assert sorted(set(found.stderr.split()) & {"typer", "rich", "pydantic", "keeper.cli.commands"}) == []


def test_a_start_loads_no_more_than_it_uses() -> None:
    """In dry run: no keys, no migrations, no wire but the node's own, no web server, no scheduler, no tables."""
    late = {*HEAVY, "apprise", "py_ecc", "eth_keyfile", "ens", "mako", "rich", "pygments"} - {"sqlalchemy", "structlog"}
    late |= {"eth_utils", "eth_typing", "eth_abi", "rlp", "regex", "cytoolz"}  # 8 MiB of tables and grammars
    code = "import sys, keeper.cli.keeping, keeper.service.app; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(set(found.stdout.split()) & late) == []


@pytest.mark.parametrize("words", [["journal"], ["tx", "list"]], ids=" ".join)
def test_what_only_reads_the_journal_opens_no_client(words: list[str], tmp_path: Path) -> None:
    """The database, and nothing that talks to a node or signs."""
    config = tmp_path / "keeper.toml"
    config.write_text(
        '[network]\nfile = "ethereum"\nrpc_url = "http://127.0.0.1:9"\n[[positions]]\nname = "p"\n'
        'venue = "aave_v3"\nowner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-c", PROBE, *words, "-c", str(config)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(found.stderr.split())
    assert "sqlalchemy" in loaded
    assert sorted(loaded & {"web3", "eth_account", "aiohttp", "websockets", "apscheduler"}) == []


def test_a_file_to_begin_with_comes_with_the_program(tmp_path: Path) -> None:
    """Who installed the wheel has no other: it is the example, and it is what the message of a missing file names."""
    found = CliRunner().invoke(app, ["example"])
    assert (found.exit_code, found.stdout) == (0, EXAMPLE.read_text(encoding="utf-8"))
    missing = CliRunner().invoke(app, ["check", "-c", str(tmp_path / "keeper.toml")])
    assert missing.stderr.endswith("write one to begin with: keeper example > keeper.toml\n")
