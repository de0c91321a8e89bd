"""The settings files that a command was given: read, with every fault of all of them, or the command ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from keeper.cli.common import DEFAULT, Exit, fail

if TYPE_CHECKING:
    from keeper.settings import Settings


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


def each(chains: list[Settings], do: Callable[[Settings], Exit]) -> NoReturn:
    """Do something for one chain after the other, whatever became of the one before; end with the gravest code."""
    codes = list[int]()
    for settings in chains:
        try:
            codes.append(do(settings))
        except typer.Exit as ended:
            codes.append(ended.exit_code)
    raise typer.Exit(max(codes))
