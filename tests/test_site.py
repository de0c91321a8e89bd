"""The documentation as a site: it builds, every page is in it, and who reads it asks no other machine for anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as `make docs` does: no broken link, no anchor that is not there."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(
        words, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    """Also those that nobody wrote into the contents."""
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert [page for page in sorted(pages) if not (site / page).exists()] == []
    contents = (site / "index.html").read_text(encoding="utf-8")
    assert [page for page in sorted(pages) if f'href="{page}"' not in contents and page.name != "index.html"] == []


def test_reading_it_asks_no_other_machine(site: Path) -> None:
    """No font, script, style or picture comes from elsewhere."""
    asked = [
        (page.name, found)
        for page in site.rglob("*.html")
        for found in re.findall(r"<(?:script|img|iframe)[^>]*?\ssrc=\"([^\"]+)", page.read_text(encoding="utf-8"))
        + re.findall(r"<link[^>]*?\shref=\"([^\"]+)", page.read_text(encoding="utf-8"))
        if "//" in found
    ]
    styles = [
        found for file in site.rglob("*.css") for found in re.findall(r"url\(([^)]*//[^)]*)\)", file.read_text("utf-8"))
    ]
    assert (asked, [one for one in styles if "data:" not in one and "www.w3.org" not in one]) == ([], [])


def test_a_link_to_a_file_of_the_project_leads_to_its_text(site: Path) -> None:
    """The site holds what its pages speak of."""
    assert (site / "source/keeper/engine/cycle.py.txt").read_bytes() == (ROOT / "keeper/engine/cycle.py").read_bytes()


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    """To a page, to a place in one, and to a file that is not there."""
    for folder in ("docs", "tools", "keeper"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "tools" / "site.py", tmp_path / "tools")
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text(text.split("\nnav:")[0] + "\nnav: [{Home: index.md}]\n", encoding="utf-8")
    for broken in ("[x](nowhere.md)", "[x](index.md#nowhere)", "[x](../keeper/nowhere.py)"):
        (tmp_path / "docs" / "index.md").write_text(f"# A page\n\n{broken}\n", encoding="utf-8")
        words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
        built = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert built.returncode == 1, broken
        assert "nowhere" in built.stderr
