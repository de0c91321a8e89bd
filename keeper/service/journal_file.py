"""The journal the settings name; one that can never be opened is a fault of theirs, and says where it is named."""

from __future__ import annotations

from keeper.journal import Journal, JournalError, open_journal
from keeper.settings import Settings, SettingsError


async def remembered(settings: Settings) -> Journal:
    """Open the journal. Raises SettingsError where no second try would help, JournalError where one may."""
    try:
        return await open_journal(settings.journal_url.reveal())
    except JournalError as error:
        if error.is_lasting:
            raise SettingsError([f"{settings.journal_source}: {error}"]) from None
        raise
