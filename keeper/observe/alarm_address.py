"""Whether an address is one that alarms can go to. Asks nobody: only its form is looked at."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator


def is_understood(url: str) -> bool:
    """Return whether Apprise knows what to do with an address; says nothing anywhere, for it may carry a secret."""
    import apprise  # noqa: PLC0415 - a fifth of a second that only users of alarms pay

    with silenced():
        try:
            return apprise.Apprise.instantiate(url.strip()) is not None
        except Exception:  # noqa: BLE001 - a hundred plugins read it, each in its own way; none may end the program
            return False


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Let Apprise write nothing to the terminal meanwhile."""
    logger = logging.getLogger("apprise")
    was, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was
