"""An empty journal to begin with: made once, for bringing one up to date takes longer than most tests of it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from keeper.journal import open_journal


def an_empty_journal(at: Path) -> Path:
    """Put a journal without rows there, as opening a new one would; return where."""
    at.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(_made(), at)
    at.chmod(0o600)
    return at


@cache
def _made() -> Path:
    file = Path(tempfile.mkdtemp(prefix="pk")) / "journal.sqlite"

    async def make() -> None:
        async with await open_journal(str(file)):
            pass

    # tests run in a loop of their own already
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, make()).result()
    return file
