"""The documents say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keeper.core.reasons import Reason
from keeper.settings.rule_keys import TARGETS
from keeper.venues.registry import EXCHANGES, LENDERS, VENUES
from tools import picture, reference, rules
from tools.reasons import PAGE, page

ROOT = Path(__file__).parents[1]


def test_the_page_of_reasons_is_the_code_s_own() -> None:
    """docs/reasons.md is written by `python -m tools.reasons`; run it again after a change."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_of_rules_is_the_metrics_own() -> None:
    """docs/rules.md is written by `python -m tools.rules`; run it again after a metric or an action changed."""
    assert rules.PAGE.read_text(encoding="utf-8") == rules.page()


@pytest.mark.parametrize(("name", "text"), reference.pages().items(), ids=reference.pages())
def test_the_reference_is_the_code_s_own(name: str, text: str) -> None:
    """docs/reference is written by `python -m tools.reference`; run it again after a command or a key changed."""
    assert (reference.FOLDER / name).read_text(encoding="utf-8") == text.rstrip() + "\n"


def test_every_key_of_the_settings_says_what_it_means() -> None:
    """In an editor, by the schema, and on the page: a new key wants its line in keeper/settings/key_words.py."""
    text = (reference.FOLDER / "settings.md").read_text(encoding="utf-8")
    silent = [row for row in text.splitlines() if row.startswith("| `") and row.endswith("|  |")]
    of_rules = [row for row in silent if any(f"| `{key}`" in row for key in (*TARGETS, "asset"))]
    assert [row for row in silent if row not in of_rules] == []


def test_every_reason_has_a_code_of_its_own() -> None:
    """Scripts rely on the codes."""
    codes = [reason.code for reason in Reason]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "sandbox/README.md", "tests/conformance/README.md"]
PAGES += sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("name", PAGES)
def test_what_a_document_names_is_there(name: str) -> None:
    """Links and file names in backticks lead somewhere."""
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    files = re.findall(
        r"`((?:tests|docs|keeper|config|deploy|bench|tools|sandbox|core|engine|venues|chain)/[\w./-]+)`", text
    )
    here = (ROOT / name).parent
    roots = (ROOT, here, ROOT / "keeper")
    missing = [x for x in links if "://" not in x and not (here / x).exists()]
    missing += [x for x in files if not any((root / x).exists() for root in roots) and "*" not in x]
    assert missing == []


def test_the_house_in_the_picture_is_the_house() -> None:
    """docs/architecture.md draws every module of keeper/ with its own first line, and none that is not there."""
    text = picture.PAGE.read_text(encoding="utf-8")
    assert picture.page(text) == text, "draw it anew: python -m tools.picture"


def test_the_picture_leaves_no_package_out() -> None:
    """A package that is not drawn is a room without a door."""
    keeper = ROOT / "keeper"
    packages = {path.parent.relative_to(keeper).as_posix() for path in keeper.rglob("__init__.py")} - {"."}
    inside = {p for p in packages if p.split("/")[0] in picture.WHOLE and "/" in p}
    assert set(picture.PACKAGES) == packages - inside


@pytest.mark.parametrize("name", PAGES)
def test_a_test_that_a_document_names_is_there(name: str) -> None:
    """`tests/…py::test_…`: a claim is worth what holds it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    missing = [
        (file, test)
        for file, test in named
        if not re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_every_claim_of_the_threat_model_has_its_test() -> None:
    """What an attacker cannot do is in a table whose second column is tests."""
    text = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| [^|]* \| test \|\n\|---\|---\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    rows = [row for table in tables for row in table.splitlines()]
    assert len(rows) >= 30
    assert [row for row in rows if "`tests/" not in row] == []


@pytest.mark.parametrize("key", [*VENUES, *EXCHANGES, *LENDERS])
def test_every_venue_exchange_and_lender_has_its_page(key: str) -> None:
    """docs/venues/<key>.md: what an owner writes, what is particular, what the keeper never does."""
    assert (ROOT / "docs" / "venues" / f"{key}.md").exists()
