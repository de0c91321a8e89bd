"""The two tokens: one to look, one to change something. Each is in a file that only its owner may read."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

LEAST, MOST = 16, 512
"""Characters of a token: fewer can be guessed."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class TokenError(Exception):
    """A token's file cannot be used; the message names it, and says what to do."""


@dataclass(frozen=True, slots=True)
class PageToken:
    """A token that never shows itself."""

    _text: str

    def reveal(self) -> str:
        """Return it, at the one place that shows it: the link at the start."""
        return self._text

    def is_same(self, given: str | None) -> bool:
        """Return whether this is what was given, in a time that says nothing of where they differ."""
        return given is not None and hmac.compare_digest(self._text.encode(), given.encode())

    def __repr__(self) -> str:
        return "PageToken(…)"


def made_or_read(path: Path) -> tuple[PageToken, bool]:
    """Return the token of a file, made where there is none, and whether it was made. Raises TokenError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = secrets.token_urlsafe(32)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return read(path), False
    except OSError as error:
        raise TokenError(f"{path}: the page's token cannot be written: {_why(error)}") from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(made + "\n")
    return PageToken(made), True


def read(path: Path) -> PageToken:
    """Return the token of a file. Raises TokenError where it is not there, open to others, or too short."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(handle, "r", encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MOST + 2).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"{path}: the token cannot be read: {_why(error)}") from None
    if mode & OTHERS:
        raise TokenError(
            f"{path}: is open to others (mode {stat.S_IMODE(mode):04o}): chmod 600, and write another token"
        )
    if not LEAST <= len(text) <= MOST or not text.isprintable() or " " in text:
        raise TokenError(f"{path}: must hold one line of {LEAST} to {MOST} characters without spaces")
    return PageToken(text)


def _why(error: OSError | UnicodeDecodeError) -> str:
    return "is not plain text" if isinstance(error, UnicodeDecodeError) else str(error.strerror or error).lower()
