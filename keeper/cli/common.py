"""What every command shares: options, exit codes, how it ends. Light: the program itself is not imported here."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console


class Exit(IntEnum):
    """What the program says to its caller."""

    FINE = 0
    FAILED = 1
    BAD_SETTINGS = 2
    IN_DANGER = 3


EXIT_CODES = {
    Exit.FINE: "fine",
    Exit.FAILED: "failed",
    Exit.BAD_SETTINGS: "bad settings",
    Exit.IN_DANGER: "a position is in danger and could not be helped",
}
"""What each means, in words: the same in ``--help`` and in the documents. Scripts rely on the numbers."""


def out() -> Console:
    """Return the terminal, or the file, that figures go to."""
    from rich.console import Console  # noqa: PLC0415 - not for the daemon

    return Console(highlight=False, markup=False, emoji=False)


def say(text: str, *, colour: str, bold: bool = False) -> None:
    """Print lines on standard error; in a colour where it is a terminal."""
    typer.secho(text, err=True, fg=colour, bold=bold or None, color=False if os.environ.get("NO_COLOR") else None)


Config = Annotated[
    Path, typer.Option("--config", "-c", envvar="KEEPER_CONFIG", help="The settings file.", show_default=True)
]
Configs = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        "-c",
        envvar="KEEPER_CONFIG",
        help="The settings file; once for each chain, side by side. [default: keeper.toml]",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Live = Annotated[
    bool,
    typer.Option("--live/--dry-run", help="Send transactions, or (the default) rehearse plans and send nothing."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log every decision, quiet ones too.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many, newest first.")]
DEFAULT = Path("keeper.toml")


@contextmanager
def loading() -> Iterator[None]:
    """Load what stays for as long as the program runs: nothing of it is looked through for garbage, now or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def log_to_stderr(*, verbose: bool) -> None:
    """Set the log up: for people on a terminal, JSON otherwise."""
    from keeper.observe.voice import configure_logging  # noqa: PLC0415 - for those that log

    configure_logging(as_json=not sys.stderr.isatty(), verbose=verbose)


def warn_if_live(*, live: bool) -> None:
    """Say first whether anything can be sent."""
    text = "LIVE: transactions will be signed and sent." if live else "Dry run: nothing is sent."
    say(text, colour="red" if live else "green", bold=live)


def prompt() -> Callable[[str], str] | None:
    """Return how to ask for a password, None where nobody sits."""
    if not sys.stdin.isatty():
        return None
    from getpass import getpass  # noqa: PLC0415 - rarely needed

    return getpass


def finish(code: Exit) -> NoReturn:
    """End with a code."""
    raise typer.Exit(int(code))


def fail(code: Exit, message: str) -> NoReturn:
    """End with a message on standard error and a code."""
    say(message, colour="red")
    raise typer.Exit(int(code))
