"""What every command shares: options, exit codes, the guard that turns failures into one clear line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from enum import IntEnum
from getpass import getpass
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from keeper import app as house_of
from keeper.chain.errors import NodeError, WrongChainError
from keeper.chain.fork import AnvilMissingError
from keeper.execution.lane import SendFailedError
from keeper.execution.lock import LockDirectoryError, SignerLockedError
from keeper.execution.signer import KeyUnavailableError
from keeper.house import House
from keeper.journal import JournalError
from keeper.observe import configure_logging
from keeper.settings import Settings, SettingsError, load
from keeper.side_by_side import shared
from keeper.survey import AmbiguousNameError
from keeper.venues.ports import ReadFailedError


class Exit(IntEnum):
    """What the program tells its caller."""

    FINE = 0
    FAILED = 1
    BAD_SETTINGS = 2
    IN_DANGER = 3


err = Console(stderr=True, highlight=False)
out = Console(highlight=False)

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
    typer.Option("--live/--dry-run", help="Send transactions, or (the default) run plans on a fork and send nothing."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log every decision, quiet ones too.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many, newest first.")]
DEFAULT = Path("keeper.toml")


def settings_of(config: Path) -> Settings:
    """Return the settings, or end with every fault they have."""
    try:
        return load(config)
    except SettingsError as error:
        fail(Exit.BAD_SETTINGS, "\n".join(error.faults))


def all_settings_of(configs: list[Path] | None) -> list[Settings]:
    """Return the settings of every file, or end with every fault that any of them has."""
    found, faults = list[Settings](), list[str]()
    for config in configs or [DEFAULT]:
        try:
            found.append(load(config))
        except SettingsError as error:
            faults += error.faults
    if faults or (faults := shared(found)):
        fail(Exit.BAD_SETTINGS, "\n".join(faults))
    return found


def each(chains: list[Settings], do: Callable[[Settings], Exit]) -> NoReturn:
    """Do something for one chain after the other, whatever became of the one before; end with the gravest code."""
    codes = list[int]()
    for settings in chains:
        try:
            codes.append(do(settings))
        except typer.Exit as ended:
            codes.append(ended.exit_code)
    raise typer.Exit(max(codes))


def in_house(
    settings: Settings, work: Callable[[House], Awaitable[Exit]], *, is_live: bool, is_look: bool = False
) -> Exit:
    """Build the house, do the work in it, take it down."""

    async def inside() -> Exit:
        opened = house_of.opened(settings, is_live=is_live, is_look=is_look, prompt=prompt(), in_full=True)
        async with opened as house:
            return await work(house)

    return guarded(inside)


def guarded(work: Callable[[], Awaitable[Exit]]) -> Exit:
    """Run to the end, and turn what may go wrong into one clear line and a code. Defects keep their traceback."""

    async def awaited() -> Exit:
        return await work()

    try:
        return asyncio.run(awaited())
    except (KeyUnavailableError, WrongChainError, AmbiguousNameError, SignerLockedError, LockDirectoryError) as error:
        fail(Exit.BAD_SETTINGS, str(error))
    except (NodeError, ReadFailedError, JournalError, SendFailedError, AnvilMissingError) as error:
        fail(Exit.FAILED, str(error))
    except KeyboardInterrupt:
        fail(Exit.FAILED, "interrupted")


def log_to_stderr(*, verbose: bool) -> None:
    """Set the log up: for people on a terminal, JSON otherwise."""
    configure_logging(as_json=not sys.stderr.isatty(), verbose=verbose)


def warn_if_live(*, live: bool) -> None:
    """Say first whether anything can be sent."""
    text = "LIVE: transactions will be signed and sent." if live else "Dry run: plans run on a fork, nothing is sent."
    err.print(text, style="bold red" if live else "green")


def prompt() -> Callable[[str], str] | None:
    """Return how to ask for a password, None where nobody sits."""
    return getpass if sys.stdin.isatty() else None


def finish(code: Exit) -> NoReturn:
    """End with a code."""
    raise typer.Exit(int(code))


def fail(code: Exit, message: str) -> NoReturn:
    """End with a message on standard error and a code."""
    err.print(message, style="red", soft_wrap=True, markup=False)
    raise typer.Exit(int(code))
