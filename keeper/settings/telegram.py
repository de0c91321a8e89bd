"""The bot's token: from the environment, or from a file that is its owner's alone. Never in the settings themselves."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path

from keeper.settings.model import Secret, TelegramSettings
from keeper.settings.schema import TelegramTable

VARIABLE = "KEEPER_TELEGRAM_TOKEN"
_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,100}")


class TokenMissingError(Exception):
    """There is no token that can be used. The message says what to do, and never what was found."""


def telegram_of(table: TelegramTable, env: Mapping[str, str], path: Path) -> TelegramSettings:
    """Return the settings of the bot. Raises TokenMissingError."""
    token = env.get(VARIABLE) or _read(table.token_file, path)
    if not _TOKEN.fullmatch(token.strip()):
        raise TokenMissingError("that is no token: copy what BotFather says, like 123456789:AAF…")
    return TelegramSettings(Secret(token.strip()), frozenset(table.chats), table.control, Secret(table.api))


def _read(named: str | None, path: Path) -> str:
    if named is None:
        raise TokenMissingError(f"is missing: name a file with the bot's token, or set {VARIABLE}")
    file = path.parent / Path(named)
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TokenMissingError(f"{file} cannot be read ({type(error).__name__})") from None
    is_handed_over = Path("/run/secrets") in file.parents
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and not is_handed_over:
        raise TokenMissingError(f"{file}: others may read it: chmod 600 {file}")
    return text
