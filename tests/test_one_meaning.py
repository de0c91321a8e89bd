"""One word, one meaning: who reads a name need not ask which of two is meant."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import keeper

ROOT = Path(keeper.__file__).parent
PUBLIC_CLASS = re.compile(r"^class ([A-Za-z]\w*)", re.MULTILINE)


def test_no_public_class_name_is_defined_twice() -> None:
    """In the whole package: a reader who meets it in an error, a log or a signature finds one place."""
    places = defaultdict[str, list[str]](list)
    for module in sorted(ROOT.rglob("*.py")):
        for name in PUBLIC_CLASS.findall(module.read_text(encoding="utf-8")):
            places[name].append(str(module.relative_to(ROOT)))
    assert len(places) > 300, "the package was not found"
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_two_test_files_are_called_the_same() -> None:
    """In folders that are no packages two of one name are one module: the second is never run."""
    places = defaultdict[str, list[str]](list)
    tests = Path(__file__).parent
    for file in sorted(tests.rglob("test_*.py")):
        if not (file.parent / "__init__.py").exists():
            places[file.name].append(str(file.relative_to(tests)))
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
