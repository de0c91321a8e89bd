"""Where files that ship with the program are: beside the package in a wheel, beside the repository in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """Return the folder ``contracts_abi`` or ``networks``. Raises FileNotFoundError when the installation is broken."""
    places = {"networks": _PACKAGE.parent / "config" / "networks"}.get(name, _PACKAGE.parent / name)
    for place in (_PACKAGE / "_data" / name, places):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"{name} is missing from the installation; reinstall position-keeper")
