"""structlog, without what it loads to colour tracebacks: rich and pygments, 3 MiB and 25 ms that no line here needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let a package seem not to be installed meanwhile, unless it is loaded already."""
    modules = cast("dict[str, object]", sys.modules)
    if name in modules:
        yield
        return
    modules[name] = None  # how Python itself notes that there is no such module
    try:
        yield
    finally:
        del modules[name]


with without("rich"):
    import structlog

__all__ = ["structlog"]
