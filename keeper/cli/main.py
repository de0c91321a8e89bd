"""Where ``keeper`` begins: the version is printed at once, everything else is a command's (``cli.commands``)."""

from __future__ import annotations

import os
import sys
from typing import Any

from keeper.cli.version import version


def main() -> None:
    """Run the command line. What it makes is its user's alone: journal, locks, whatever libraries write."""
    if sys.argv[1:] == ["--version"]:
        print(version())  # noqa: T201 - typer would be loaded for this one line
        return
    os.umask(0o077)
    from keeper.cli import leaving  # noqa: PLC0415 - see above
    from keeper.cli.commands import app  # noqa: PLC0415 - see above

    leaving.owns_process()
    app()


def __getattr__(name: str) -> Any:
    """Load ``app``, the commands, when it is asked for."""
    if name != "app":
        raise AttributeError(name)
    from keeper.cli.commands import app  # noqa: PLC0415 - see above

    return app
