"""Nobody outside ``venues`` names a protocol: what one is beside its line in the registry is in its own package."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import keeper
from keeper.core.lending.moves import MARKET
from keeper.venues.registry import EXCHANGES, LENDERS, VENUES

ROOT = Path(keeper.__file__).parent
WORDS = ("aave", "chainlink", "comet", "curie", "gmx", "morpho", "perp_v2", "perpv2", "uniswap")


def outside() -> Iterator[Path]:
    for module in sorted(ROOT.rglob("*.py")):
        if "venues" not in module.relative_to(ROOT).parts and "_data" not in module.parts:
            yield module


TICKERS = {f"keeper/core/risk/file_names.py: {asset}" for asset in ("AAVE", "GMX", "MORPHO")}
"""Tokens called as the protocol that issued them: a price file may be of one, and nothing branches on it."""


def spoken(module: Path) -> Iterator[str]:
    """Every name and every text of a module that is no docstring: what its code can branch on."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    said = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in said:
                yield text
            case ast.Name(id=name) | ast.alias(name=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name
            case ast.ImportFrom(module=str(name)) | ast.keyword(arg=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case _:
                pass


def test_no_module_outside_venues_names_a_protocol() -> None:
    """Neither by its own name, nor in a branch, a key or a text: what an owner reads comes from the registry."""
    named = [m for m in outside() if any(word in str(m.relative_to(ROOT)).lower() for word in WORDS)]
    assert named == []
    found = {
        f"{module.relative_to(ROOT.parent)}: {text}"
        for module in outside()
        if any(word in module.read_text(encoding="utf-8").lower() for word in WORDS)
        for text in spoken(module)
        if any(word in text.lower() for word in WORDS)
    }
    assert found - TICKERS == set()


@pytest.mark.parametrize("key", [*VENUES, *EXCHANGES, *LENDERS])
def test_every_line_of_the_registry_has_its_package(key: str) -> None:
    """With a module ``find``, which has the function that its kind is found by; and no package is without its line."""
    found = importlib.import_module(f"keeper.venues.{key}.find")
    family = VENUES[key].family.value if key in VENUES else "exchange" if key in EXCHANGES else "lender"
    assert hasattr(found, {"lending": "find_market", "perp": "find_account"}.get(family, family))


def test_every_package_with_such_a_module_has_its_line() -> None:
    """A venue that the registry does not know could never be used."""
    packages = [m.name for m in pkgutil.iter_modules([str(ROOT / "venues")]) if m.ispkg]
    assert {p for p in packages if (ROOT / "venues" / p / "find.py").exists()} == {*VENUES, *EXCHANGES, *LENDERS}


def test_no_exchange_or_lender_is_called_as_what_plans_call_the_market() -> None:
    """Approvals are told apart by that name."""
    assert MARKET not in {*EXCHANGES, *LENDERS}
    assert not EXCHANGES.keys() & LENDERS.keys()
