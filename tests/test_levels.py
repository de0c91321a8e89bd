"""The house can be drawn from memory: eight levels, and no more ways between them than there were."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1] / "keeper"
MOST_LEVELS, MOST_EDGES = 8, 62


def known_to() -> dict[str, set[str]]:
    """Package of the house → the packages that it imports."""
    found = defaultdict[str, set[str]](set)
    for path in ROOT.rglob("*.py"):
        package = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "keeper":
                _, *rest = node.module.split(".")
                found[package] |= {rest[0]} if rest else {name.name for name in node.names}
    entry = {"__init__", "__main__"}
    return {package: of - {package} for package, of in found.items() if package not in entry}


def test_the_house_has_eight_levels() -> None:
    """Each package stands upon those that it imports, and none of them upon it."""
    of = known_to()

    @cache
    def level(package: str) -> int:
        return 1 + max((level(below) for below in of.get(package, ())), default=0)

    levels = {package: level(package) for package in of}
    assert max(levels.values()) <= MOST_LEVELS, levels
    assert sum(len(below) for below in of.values()) <= MOST_EDGES
