"""What the pages say of loans of one transaction is so: each bad input has its test, each example loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keeper import resources
from keeper.settings import load

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "venues"
ROWS = re.findall(r"`(test_\w+)`", (PAGES / "bundler3.md").read_text(encoding="utf-8"))

SETTINGS = """\
[network]
file = "own.toml"
rpc_url = "http://127.0.0.1:8545"

[[positions]]
name = "eth-loop"
venue = "aave_v3"
owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
"""


def test_every_bad_input_of_the_page_has_the_test_that_it_names() -> None:
    """A test that is renamed takes its row with it."""
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(ROWS) > 15
    assert [name for name in ROWS if f"def {name}(" not in tests] == []


@pytest.mark.parametrize("page", ["uniswap_v4"])
def test_an_exchange_is_declared_as_its_page_shows(tmp_path: Path, page: str) -> None:
    """The table of the page, behind Ethereum's own file."""
    (example,) = re.findall(r"```toml\n(.*?)```", (PAGES / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    example = example.replace("0x…", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")  # each its own on a chain
    shipped = (resources.folder("networks") / "ethereum.toml").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(f"{shipped}\n{example}", encoding="utf-8")
    (tmp_path / "keeper.toml").write_text(SETTINGS, encoding="utf-8")
    network = load(tmp_path / "keeper.toml").network
    (found,) = [table for table in network.tables if table.venue == page]
    assert {"pool_manager", "quoter", "universal_router"} <= set(found.addresses)
