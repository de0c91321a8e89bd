"""Commands import what they need and no more: an owner in a hurry does not wait for a program to wake up."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("web3", "eth_account", "sqlalchemy", "alembic", "aiohttp", "websockets", "apscheduler", "numpy", "structlog")
PROBE = """
import sys
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


@pytest.mark.parametrize("words", [["journal"], ["tx", "list"]], ids=" ".join)
def test_what_only_reads_the_journal_opens_no_client(words: list[str], tmp_path: pytest.TempPathFactory) -> None:
    """The database, and nothing that talks to a node or signs."""
    config = f"{tmp_path}/keeper.toml"
    with open(config, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(
            '[network]\nfile = "ethereum"\nrpc_url = "http://127.0.0.1:9"\n[[positions]]\nname = "p"\n'
            'venue = "aave_v3"\nowner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"\n'
        )
    command = [sys.executable, "-c", PROBE, *words, "-c", config]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(found.stderr.split())
    assert "sqlalchemy" in loaded
    assert sorted(loaded & {"web3", "eth_account", "aiohttp", "websockets", "apscheduler"}) == []
