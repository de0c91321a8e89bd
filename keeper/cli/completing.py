"""What a shell completes after a command: positions, books and rules by the names of the settings. Nothing heavy loads.

A file that is not there or cannot be read completes nothing; whoever runs the command is told what is wrong with it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from keeper.cli.common import DEFAULT

MOST_BYTES = 1_000_000


def subjects(context: typer.Context, incomplete: str) -> list[str]:
    """Return the positions and books that begin so."""
    return _beginning(context, incomplete, ("positions", "books"))


def rules(context: typer.Context, incomplete: str) -> list[str]:
    """Return the rules that begin so."""
    return _beginning(context, incomplete, ("rules",))


def names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the positions, books and rules that begin so."""
    return _beginning(context, incomplete, ("positions", "books", "rules"))


def _beginning(context: typer.Context, incomplete: str, tables: tuple[str, ...]) -> list[str]:
    found = [name for name in _names(_file(context), tables) if name.startswith(incomplete)]
    return list(dict.fromkeys(found))


def _file(context: typer.Context) -> Path:
    given = context.params.get("config") or os.environ.get("KEEPER_CONFIG") or DEFAULT
    return Path(given)


def _names(file: Path, tables: tuple[str, ...]) -> Iterator[str]:
    try:
        if file.stat().st_size > MOST_BYTES:
            return
        raw: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    for table in tables:
        listed = raw.get(table)
        for one in listed if isinstance(listed, list) else ():
            name = one.get("name") if isinstance(one, dict) else None
            if isinstance(name, str) and name.isprintable():
                yield name
