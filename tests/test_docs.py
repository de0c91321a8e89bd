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


def test_the_house_in_the_picture_is_the_house() -> None:
    """Every module of keeper/ is named in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    quiet = {"__init__.py", "__main__.py"}
    folders = {"settings", "cli", "journal"}  # described as a whole
    modules = [p for p in (ROOT / "keeper").rglob("*.py") if p.name not in quiet and p.parent.name not in folders]
    missing = [p.name for p in modules if p.name not in text and "migrations" not in p.parts]
    assert missing == []
