"""One keeper per signer: two would both believe the next nonce is theirs.

The lock is the kernel's (flock on a file of the state directory), so it ends with the process however that ends.
It reaches as far as the directory does: keepers on two machines do not see each other.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
from pathlib import Path
from typing import Self

from keeper.venues.codec.quantities import plain

LARGEST = 4096
"""Bytes a lock's file holds at most."""
_OPENING = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Follows no link, and waits for nobody at the other end of a pipe."""


class SignerLockedError(Exception):
    """Another keeper holds this signer; ``pid`` is None when it could not be read."""

    def __init__(self, chain_id: int, signer: str, pid: int | None, since: str) -> None:
        who = f"process {pid}, started {since}," if pid is not None else "another process"
        remedy = f"Stop it first (kill {pid})" if pid is not None else "Stop it first"
        super().__init__(
            f"The signer {signer} on chain {chain_id} is in use: {who} already keeps it."
            f" {remedy}, or give this keeper another signer."
        )
        self.chain_id = chain_id
        self.signer = signer
        self.pid = pid


class LockDirectoryError(Exception):
    """The lock's file cannot be made or opened, so whether the signer is in use is unknown."""

    def __init__(self, path: Path, cause: OSError) -> None:
        super().__init__(
            f"The signer's lock {path} cannot be opened: {cause.strerror}."
            " Name a directory this user may write in KEEPER_STATE_DIR."
        )
        self.path = path


class SignerLock:
    """The right to sign for one (chain, signer); a context manager, held until release or the end of the process."""

    def __init__(self, chain_id: int, signer: str, directory: Path | None = None) -> None:
        self.chain_id = chain_id
        self.signer = signer
        self.path = (directory or state_directory() / "locks") / f"{chain_id}-{signer.lower()}.lock"
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *failure: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock at once or not at all. Raises SignerLockedError, LockDirectoryError."""
        if self._descriptor is not None:
            return
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            holder = read_holder(descriptor)
            os.close(descriptor)
            raise SignerLockedError(self.chain_id, self.signer, *holder) from held
        except OSError as failure:
            os.close(descriptor)
            raise LockDirectoryError(self.path, failure) from failure
        write_holder(descriptor)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back. The file stays: removing it could unlock a keeper that opened it a moment ago."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _check_folder(self.path.parent)
            descriptor = os.open(self.path, _OPENING, 0o600)
        except OSError as failure:
            raise LockDirectoryError(self.path, failure) from failure
        try:
            _check_file(descriptor)
        except OSError as failure:
            os.close(descriptor)
            raise LockDirectoryError(self.path, failure) from failure
        return descriptor


def state_directory() -> Path:
    """Where the keeper keeps its state: KEEPER_STATE_DIR, else the user's state directory (XDG)."""
    if own := os.environ.get("KEEPER_STATE_DIR"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_STATE_HOME")
    return (Path(shared) if shared else Path.home() / ".local" / "state") / "position-keeper"


def write_holder(descriptor: int) -> None:
    """Leave word for whoever finds the lock taken; the lock itself does not depend on it."""
    started = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    said = json.dumps({"pid": os.getpid(), "started": started}).encode()
    os.pwrite(descriptor, said, 0)
    os.ftruncate(descriptor, len(said))


def read_holder(descriptor: int) -> tuple[int | None, str]:
    """Process id and start of the holder; (None, "") while it has not written them yet."""
    try:
        found = json.loads(os.pread(descriptor, LARGEST, 0))
        return int(found["pid"]), plain(str(found["started"])[:40])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, ""


def _check_folder(folder: Path) -> None:
    """Raise OSError when others could exchange the lock's file: then two keepers may each hold one."""
    found = folder.stat()
    if found.st_uid not in (os.geteuid(), 0):
        raise OSError(errno.EPERM, f"its folder belongs to another user ({found.st_uid})")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
        raise OSError(errno.EPERM, "its folder may be written by others (chmod go-w)")


def _check_file(descriptor: int) -> None:
    """Raise OSError unless it is a lock of ours and nothing else's file: it is about to be written."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise OSError(errno.EPERM, "it is no file of its own (a link, a pipe or a device)")
    if found.st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"it belongs to another user ({found.st_uid})")
    # what a power cut left is nothing but zeros
    is_empty = not os.pread(descriptor, LARGEST, 0).strip(b"\0")
    if found.st_size > LARGEST or not (is_empty or read_holder(descriptor)[0]):
        raise OSError(errno.EEXIST, "it holds something that no keeper wrote")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & stat.S_IRWXU)
