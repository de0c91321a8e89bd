"""The times that an owner wants to look ahead, from words on the line."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.cli.common import Exit, fail
from keeper.settings.fields import as_period

USUAL = ("24h", "7d", "30d")
MOST = 12


def horizons_of(words: Sequence[str]) -> tuple[int, ...]:
    """Return the horizons in seconds, the shortest first; the usual ones where none is named."""
    if len(words) > MOST:
        fail(Exit.BAD_SETTINGS, f"--horizon: {len(words)} are too many; {MOST} at most")
    try:
        return tuple(sorted({int(as_period(word)) for word in words or USUAL}))
    except ValueError as error:
        fail(Exit.BAD_SETTINGS, f"--horizon: {error}")
