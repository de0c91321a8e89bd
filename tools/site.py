"""What MkDocs cannot know: links from docs/ to files of the project lead to copies of them, kept with the site.

A page links to ``../keeper/engine/cycle.py``, as it does where the project is read as files. The site holds that file
as plain text; of a folder it holds the list of what is in it. A file that is not there stays a broken link, and the
strict build fails. In the contents a name that ends with ``/`` is a whole folder, and a page that stands nowhere comes
last.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)\s:#]+)\)")
SOURCE = "source"


def outside(page: str, link: str) -> Path | None:
    """Return the project's file that a page's link leads to; None where it stays within the docs, or leads nowhere."""
    there = (DOCS / page).parent / link
    found = Path(os.path.normpath(there))
    if found.is_relative_to(DOCS) or not found.is_relative_to(ROOT) or not found.exists():
        return None
    return found


def copy_of(file: Path) -> str:
    """Return where the site keeps it."""
    return f"{SOURCE}/{file.relative_to(ROOT).as_posix()}.txt"


def text_of(file: Path) -> str:
    """Return its text; of a folder, what is in it."""
    if file.is_dir():
        return "".join(f"{one.name}\n" for one in sorted(file.iterdir()) if not one.name.startswith(("_", ".")))
    return file.read_text(encoding="utf-8")


def on_config(config: Any) -> Any:
    """Fill in the contents: folders, and what stands nowhere."""
    for section in config.nav:
        for title, pages in section.items():
            if isinstance(pages, list):
                section[title] = [page for name in pages for page in _pages(name)]
    named = {page for section in config.nav for pages in section.values() for page in _named(pages)}
    rest = sorted({file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")} - named)
    if rest:
        config.nav.append({"More": rest})
    return config


def _pages(entry: Any) -> list[Any]:
    if not isinstance(entry, str) or not entry.endswith("/"):
        return [entry]
    return [file.relative_to(DOCS).as_posix() for file in sorted((DOCS / entry).glob("*.md"))]


def _named(pages: Any) -> list[str]:
    entries = pages if isinstance(pages, list) else [pages]
    return [page for one in entries for page in (one.values() if isinstance(one, dict) else [one])]


def on_files(files: Files, config: Any) -> Files:
    """Add a copy of every file that a page links to."""
    wanted = set[Path]()
    for page in files.documentation_pages():
        text = (DOCS / page.src_uri).read_text(encoding="utf-8")
        wanted |= {found for link in LINK.findall(text) if (found := outside(page.src_uri, link))}
    for file in sorted(wanted):
        files.append(File.generated(config, copy_of(file), content=text_of(file)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead each such link to the copy."""

    def led(link: re.Match[str]) -> str:
        file = outside(page.file.src_uri, link[1])
        if file is None:
            return link[0]
        here = PurePosixPath(page.file.src_uri).parent.as_posix()
        return f"]({os.path.relpath(copy_of(file), here)})"

    return LINK.sub(led, markdown)
