"""docs/extending.md is kept true: its examples are what the tests run, and touch what it says they touch."""

from __future__ import annotations

import re
from pathlib import Path

from test_toy_bank import TOY

from keeper.venues.registry import Family, Key, Venue

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_line_of_the_registry_is_the_one_that_is_run() -> None:
    """As it is written on the page."""
    (line,) = [block for block in blocks("python") if block.startswith("Venue(")]
    assert eval(line, {"Venue": Venue, "Family": Family, "Key": Key}) == TOY  # noqa: S307 - a line of our own page


def test_a_venue_is_one_package() -> None:
    """The page's table has every module of the toy that is not the tests' own, at about its length."""
    own = {"__init__.py", "contract.py", "subject.py"}
    modules = {path.name for path in (ROOT / "tests/toy_bank").glob("*.py")} - own
    rows = dict(re.findall(r"\| \[`(\w+\.py)`\].*\| (\d+) \|", PAGE))
    assert rows.keys() == modules
    for name, lines in rows.items():
        assert abs(len((ROOT / "tests/toy_bank" / name).read_text().splitlines()) - int(lines)) <= 15, name


def test_nothing_of_the_program_knows_the_toy() -> None:
    """It is a line of the registry that only the tests add."""
    known = [str(path) for path in (ROOT / "keeper").rglob("*.py") if "toy" in path.read_text().lower()]
    assert not known


def test_the_decoder_knows_nothing_of_the_encoder() -> None:
    """Two tellings: where one is mistaken the gate refuses."""
    text = (ROOT / "tests/toy_bank/effects.py").read_text()
    assert "toy_bank" not in text
