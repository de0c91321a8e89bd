"""``keeper web``, and the page beside ``keeper run``: the link is shown once, at the start."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from keeper.cli.common import Exit, fail, say
from keeper.settings import Settings, SettingsError

if TYPE_CHECKING:
    from keeper.web.server import Served


def web(chains: list[Settings], port: int | None, *, opens: bool) -> None:
    """Serve the page from the journal and the settings alone, until it is asked to stop."""
    served = ready(chains, port)
    show_link(served, opens=opens)
    served.run()


def ready(chains: list[Settings], port: int | None, *, beside: bool = False) -> Served:
    """Return the page, its port taken, or end with what is wrong."""
    try:
        from keeper.web.server import ready as made  # noqa: PLC0415 - the page's packages are an extra
    except ModuleNotFoundError as missing:
        fail(Exit.BAD_SETTINGS, f"{missing.name} is not installed: pip install 'position-keeper[web]'")
    try:
        return made(chains, state_of(chains[0]), port=port, beside=beside)
    except SettingsError as error:
        fail(Exit.BAD_SETTINGS, str(error))


def show_link(served: Served, *, opens: bool) -> None:
    """Show the address, on a terminal with its token; in a browser where one is wanted and a person sits there."""
    if not sys.stderr.isatty():  # a log is read by others
        say(f"The page: {served.address}  Its token is in {served.token_file}.", colour="cyan")
        return
    say(f"The page: {served.link}", colour="cyan")
    say(
        "Whoever has this link can look. It is for this machine alone; from elsewhere, use a tunnel (ssh -L).",
        colour="cyan",
    )
    if opens and has_display():
        import webbrowser  # noqa: PLC0415 - rarely needed

        webbrowser.open(served.link)


def has_display() -> bool:
    """Return whether a browser could show something here."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def state_of(settings: Settings) -> Path:
    """Return where the page's token is made."""
    from keeper.execution.lock import state_directory  # noqa: PLC0415 - for who serves a page

    return settings.daemon.state_dir or state_directory()
