"""Files with keys, passwords or signed bytes are their owner's alone: what others may do ends, and is reported."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO
_HANDED_OVER = (Path("/run/secrets"), Path("/run/credentials"))
"""Where services are handed secrets with modes of their own, in folders nobody else reaches."""


def made_private(path: Path) -> tuple[str, ...]:
    """Take from everybody else what they may do with a file of ours; return what was exposed, in words.

    What cannot be taken away is said too. A folder is left as it is: only said. A pipe, and what is not there, is
    nobody's to see.
    """
    try:
        found = path.stat()
        folder = path.resolve().parent
        there = folder.stat()
    except OSError:
        return ()
    if not stat.S_ISREG(found.st_mode) or any(at in folder.parents or at == folder for at in _handed_over()):
        return ()
    said = list[str]()
    if there.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not there.st_mode & stat.S_ISVTX:
        said.append(f"{folder} may be written by others, who can put another file in {path.name}'s place: chmod go-w")
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            said.append(f"{path} (mode {mode:04o}) is open to others, and not ours to close: chmod 600")
    elif mode & OTHERS:
        said.append(f"{path} (mode {mode:04o}) was open to others{_closed(path, mode)}")
    return tuple(said)


def begun_private(path: Path) -> tuple[str, ...]:
    """Make a file that only its owner may use, unless it is there; then as ``made_private``, with what SQLite adds."""
    with contextlib.suppress(OSError):  # it is there, or whoever opens it next says why it cannot be
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    beside = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal"))
    return tuple(word for each in (path, *beside) for word in made_private(each))


def _closed(path: Path, mode: int) -> str:
    try:
        path.chmod(mode & stat.S_IRWXU)
    except OSError:
        return ", and cannot be closed: chmod 600"
    return ": closed now; what it holds may have been read"


def _handed_over() -> tuple[Path, ...]:
    own = os.environ.get("CREDENTIALS_DIRECTORY")
    return (*_HANDED_OVER, Path(own)) if own else _HANDED_OVER
