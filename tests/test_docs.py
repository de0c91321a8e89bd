"""The documents say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keeper.core.reasons import Reason
from tools.reasons import PAGE, page

ROOT = Path(__file__).parents[1]


def test_the_page_of_reasons_is_the_code_s_own() -> None:
    """docs/reasons.md is written by `python -m tools.reasons`; run it again after a change."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_reason_has_a_code_of_its_own() -> None:
    """Scripts rely on the codes."""
    codes = [reason.code for reason in Reason]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


@pytest.mark.parametrize("name", ["README.md", "docs/architecture.md", "CONTRIBUTING.md", "sandbox/README.md"])
def test_what_a_document_names_is_there(name: str) -> None:
    """Links and file names in backticks lead somewhere."""
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    files = re.findall(r"`((?:tests|docs|keeper|config|deploy|bench|tools|sandbox)/[\w./-]+)`", text)
    here = (ROOT / name).parent
    missing = [x for x in links if "://" not in x and not (here / x).exists()]
    missing += [x for x in files if not (ROOT / x).exists() and not (here / x).exists() and "*" not in x]
    assert missing == []


WHOLE = {"settings", "cli", "journal", "_data"}
"""Folders of keeper/ that the picture describes as a whole."""


def test_the_house_in_the_picture_is_the_house() -> None:
    """docs/architecture.md names every module of keeper/ by its path, and none that is not there."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    there = {path.relative_to(ROOT / "keeper").as_posix() for path in (ROOT / "keeper").rglob("*.py")}
    modules = {x for x in there if Path(x).name not in {"__init__.py", "__main__.py"} and x.split("/")[0] not in WHOLE}
    assert set(drawn(text)) == modules


def drawn(text: str) -> list[str]:
    """Return the paths of the modules in the picture of keeper/: a folder's modules are indented below its line."""
    lines = text.partition("\n    keeper/\n")[2].partition("\n    sandbox/")[0].splitlines()
    folders, found = list[tuple[int, str]](), list[str]()
    for line in lines:
        depth = len(line) - len(line.lstrip())
        folders = [(d, name) for d, name in folders if d < depth]
        folder = re.match(r"\w+/(?=\s|$)", line.strip())
        if folder:
            folders.append((depth, folder[0]))
        found += ["".join(name for _, name in folders) + module for module in re.findall(r"\w+\.py", line)]
    return found


def test_a_module_is_not_drawn_because_another_has_its_name() -> None:
    """Paths are compared and not names: `perpetuals/report.py` is not there because `report.py` is."""
    core = "      core/     pure\n        a.py  b.py    two    c.py   one\n"
    text = f"\n    keeper/\n      report.py   data\n{core}      z.py\n    sandbox/\n"
    assert drawn(text) == ["report.py", "core/a.py", "core/b.py", "core/c.py", "z.py"]
