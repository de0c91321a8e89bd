"""Draw the house in docs/architecture.md from the modules' first lines: `python -m tools.picture`. A test keeps it."""

from __future__ import annotations

import ast
from pathlib import Path

from keeper.venues.registry import EXCHANGES, LENDERS, VENUES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "    keeper/\n", "    sandbox/"

PACKAGES = (
    "cli",
    "service",
    "backtest",
    "engine",
    "engine/armed",
    "engine/lending",
    "engine/perp",
    "snapshot",
    "execution",
    "settings",
    "journal",
    "web",
    "chain",
    "venues",
    "venues/ports",
    *(f"venues/{key}" for key in (*VENUES, *EXCHANGES, *LENDERS)),
    "venues/feeds",
    "venues/contracts",
    "venues/codec",
    "observe",
    "core",
    "core/lending",
    "core/lending/actions",
    "core/perp",
    "core/book",
    "core/armed",
    "core/risk",
)
"""From the owner inwards: the layers of the import contract, each package after the one it is in."""
WHOLE = {"cli", "settings", "journal"}
"""Drawn as one line: what is in them explains itself."""
WIDTH = 150


def first_line(module: Path) -> str:
    """Return a module's first line. Raises ValueError when it has none."""
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{module} does not say what it is")
    return text.split("\n", 1)[0].rstrip(".:")


def drawn() -> str:
    """Return the picture: a line a package and a module."""
    lines = [BEGIN.rstrip()]
    for package in PACKAGES:
        folder = ROOT / "keeper" / package
        depth = 6 + 2 * package.count("/")
        lines.append(_line(depth, f"{folder.name}/", first_line(folder / "__init__.py")))
        if package not in WHOLE:
            modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
            lines += [_line(depth + 2, path.name, first_line(path)) for path in modules]
    lines.append(_line(6, "resources.py", first_line(ROOT / "keeper" / "resources.py")))
    return "\n".join(lines) + "\n"


def _line(depth: int, name: str, says: str) -> str:
    return f"{' ' * depth}{name:<{28 - depth}} {says}"[:WIDTH].rstrip()


def page(text: str) -> str:
    """Return the page with the picture drawn anew."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{drawn()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
