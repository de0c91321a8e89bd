"""A settings file as it is written: tables and texts in it, where they are what they should be."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keeper.settings.fields import as_address

Raw = Mapping[str, Any]


def tables(raw: Raw, kind: str) -> Iterator[tuple[int, Raw]]:
    """Yield the tables of a kind, with where they stand."""
    listed = raw.get(kind)
    for i, table in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(table, dict):
            yield i, table


def text(table: Raw, key: str) -> str | None:
    """Return a text; None for anything else."""
    value = table.get(key)
    return value if isinstance(value, str) else None


def address(table: Raw, key: str = "address") -> str | None:
    """Return an address; None for anything else."""
    try:
        return as_address(table.get(key))
    except ValueError:
        return None


def venues_of(raw: Raw) -> dict[str, str]:
    """Return each position's venue."""
    return {text(t, "name") or "": text(t, "venue") or "" for _, t in tables(raw, "positions")}


def hedges_of(book: Raw) -> list[str]:
    """Return the hedges that a book names, each once."""
    named = book.get("hedge")
    listed = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    return list(dict.fromkeys(name for name in listed if isinstance(name, str)))


def rules_about(path: Path, position: str) -> list[dict[str, Any]]:
    """Return the rules of a checked file that are about a position, as they are written there but for its name."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=str)
    return [
        {key: value for key, value in table.items() if key != "position"}
        for _, table in tables(raw, "rules")
        if text(table, "position") == position
    ]
