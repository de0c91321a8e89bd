"""Keystores made: a new key or one that its owner has, encrypted before it is on disk, and in nobody else's reach."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from keeper.core.units import Address

OTHERS = stat.S_IRWXG | stat.S_IRWXO
KEY_BYTES = 32


class KeystoreRefusedError(Exception):
    """A keystore cannot be made. The message says what to do, and never the key or the password."""


def key_in(text: str) -> bytes:
    """Return a private key from its hex digits, with or without 0x. Raises KeystoreRefusedError."""
    digits = text.strip().removeprefix("0x")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeystoreRefusedError("that is no private key: 64 hex digits, as wallets export it")
    return key


def password_in(file: Path) -> str:
    """Return the password in a file that nobody else may read. Raises KeystoreRefusedError."""
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise KeystoreRefusedError(f"{file}: is not UTF-8: save it anew so") from None
    except OSError as error:
        raise KeystoreRefusedError(f"{file}: {error.strerror}") from None
    if mode & OTHERS:
        raise KeystoreRefusedError(f"{file}: others may read it (mode {stat.S_IMODE(mode):04o}): chmod 600 {file}")
    return text


def make_keystore(file: Path, key: bytes | None, password: str) -> Address:
    """Write a v3 keystore of a key, of a new one without, and return its address. Raises KeystoreRefusedError.

    The file is its owner's alone, and one that is there is never written over.
    """
    from keeper.execution.eth_keys import Account  # noqa: PLC0415 - see there: half a second of imports

    if not password:
        raise KeystoreRefusedError("the password is empty: whoever reads the file has the key")
    _refuse_shared(file.parent)
    if file.exists():
        raise KeystoreRefusedError(f"{file}: is there already; a key is never written over: name another file")
    try:
        account = Account.from_key(os.urandom(KEY_BYTES) if key is None else key)
    except ValueError:  # the cause holds the key
        raise KeystoreRefusedError("that is no private key of this curve: export it anew") from None
    content = json.dumps(account.encrypt(password))
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "w") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise KeystoreRefusedError(f"{file}: cannot be written: {error.strerror}") from None
    return Address(str(account.address))


def _refuse_shared(folder: Path) -> None:
    try:
        mode = folder.stat().st_mode
    except OSError as error:
        raise KeystoreRefusedError(f"{folder}: {error.strerror}") from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise KeystoreRefusedError(f"{folder}: others may put files in it: chmod go-w {folder}, or another folder")
