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


def example() -> str:
    """Return the settings file to begin with, in which every key is explained. Raises FileNotFoundError as above."""
    for place in (_PACKAGE / "_data", _PACKAGE.parent / "config"):
        if (file := place / "keeper.example.toml").is_file():
            return file.read_text(encoding="utf-8")
    raise FileNotFoundError("keeper.example.toml is missing from the installation; reinstall position-keeper")
