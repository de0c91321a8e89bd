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

    from keeper.settings import Settings


class Exit(IntEnum):
    """What the program says to its caller."""

    FINE = 0
    FAILED = 1
    BAD_SETTINGS = 2
    IN_DANGER = 3


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


def settings_of(config: Path) -> Settings:
    """Return the settings, or end with every fault they have."""
    (settings,) = all_settings_of([config])
    return settings


def all_settings_of(configs: list[Path] | None) -> list[Settings]:
    """Return the settings of every file, or end with every fault that any of them has."""
    from keeper.settings import SettingsError, load, shared  # noqa: PLC0415 - not for --help and --version

    found, faults = list["Settings"](), list[str]()
    for config in configs or [DEFAULT]:
        try:
            found.append(load(config))
        except SettingsError as error:
            faults += error.faults
    if faults or (faults := shared(found)):
        fail(Exit.BAD_SETTINGS, "\n".join(dict.fromkeys(faults)))
    return found


def kept_of(configs: list[Path] | None, *, may_ask: bool = True) -> list[Settings]:
    """Return the settings of every file with the addresses of their names, or end with what is wrong."""
    chains = all_settings_of(configs)
    if not any(settings.has_unknown_names for settings in chains):
        return chains
    from keeper.cli.guard import guarded  # noqa: PLC0415 - for who has names
    from keeper.service.names import as_remembered, resolved  # noqa: PLC0415 - likewise

    found = list["Settings"]()

    async def work() -> Exit:
        found.extend([await (resolved if may_ask else as_remembered)(settings) for settings in chains])
        return Exit.FINE

    guarded(work)
    return found


@contextmanager
def loading() -> Iterator[None]:
    """Load what stays for as long as the program runs: nothing of it is looked through for garbage, now or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def each(chains: list[Settings], do: Callable[[Settings], Exit]) -> NoReturn:
    """Do something for one chain after the other, whatever became of the one before; end with the gravest code."""
    codes = list[int]()
    for settings in chains:
        try:
            codes.append(do(settings))
        except typer.Exit as ended:
            codes.append(ended.exit_code)
    raise typer.Exit(max(codes))


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
