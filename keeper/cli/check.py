"""What ``keeper check`` does: everything about the settings that can be found without a node."""

from __future__ import annotations

from keeper.cli import show_settings
from keeper.cli.common import Exit, out, say
from keeper.settings import Settings, futile, surroundings

USUAL = "usual"
"""The forecaster where the owner names none."""


def check_all(chains: list[Settings], *, as_json: bool) -> Exit:
    """Print what the settings say; 2 when something in them can never work, or what they name is not there."""
    faults = list(dict.fromkeys(line for of in chains for line in (*futile(of), *surroundings(of), *_forecaster(of))))
    if not faults:
        for settings in chains:
            show_settings.settings(out(), settings, as_json=as_json)
        return Exit.FINE
    say("\n".join(faults), colour="red")
    return Exit.BAD_SETTINGS


def _forecaster(of: Settings) -> list[str]:
    """Return that the forecaster which the settings name is none, or cannot be loaded; the usual one is not loaded."""
    if of.forecaster == USUAL:
        return []
    from keeper.service.forecasters import NoForecasterError, forecaster_of  # noqa: PLC0415 - few keepers name one

    try:
        forecaster_of(of.forecaster)
    except NoForecasterError as error:
        return [f"{of.path}: safety.forecaster: {error}"]
    return []
