"""What ``keeper --version`` prints: asked for before anything else is loaded."""

from __future__ import annotations


def version() -> str:
    """Return the program's name and version."""
    from importlib.metadata import version as of  # noqa: PLC0415 - a mail parser and more, for who asks

    return f"keeper {of('position-keeper')}"
