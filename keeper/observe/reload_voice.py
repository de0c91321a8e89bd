"""What an owner hears of settings that were read anew: what differs, or why the old ones go on."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.observe.voice import Voice

KEY = "reload"


def say_reloaded(voice: Voice, changes: Sequence[str]) -> None:
    """Log and send what differs from now on."""
    voice.log.info("reloaded", changes=list(changes))
    if changes:
        voice.alert("The settings were reloaded", "\n".join(changes))
    voice.settled([KEY])


def say_refused(voice: Voice, faults: Sequence[str]) -> None:
    """Log and send why nothing of a new file is used."""
    voice.log.error("reload_refused", faults=list(faults))
    body = "\n".join([*faults, "Nothing was changed: the keeper goes on with the settings it had."])
    voice.alert("The changed settings are refused", body)
