"""What the settings name on this machine: is it there, and is it what it should be? No key is opened, no node asked."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keeper.settings.faults import in_one_line
from keeper.settings.fields import is_address
from keeper.settings.model import Settings, Signer

_MOST_BYTES = 1_000_000
_LOOPBACK = "127.0.0.1"
_PATIENCE_S = 2.0


class _UnfitError(Exception):
    """A file cannot be used; the message says why."""


def surroundings(of: Settings, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return what is named and not there, or not what it should be; each with where it is named, and the remedy."""
    env = os.environ if environment is None else environment
    found = [*_signers(of), *_journal(of), *_state(of, env), *_metrics(of), *_anvil(env)]
    return [in_one_line(line) for line in found]


# --- keys ------------------------------------------------------------------------------------------------------------


def _signers(of: Settings) -> Iterator[str]:
    for signer in of.signers:
        where = f"{of.path}: signer {signer.name!r}"
        if signer.keystore is not None and (why := _unfit_keystore(signer, signer.keystore)):
            yield f"{where}: keystore: {signer.keystore} {why}"
        if signer.password_file is not None and (why := _unfit_password(signer.password_file)):
            yield f"{where}: password_file: {signer.password_file} {why}"


def _unfit_keystore(signer: Signer, path: Path) -> str | None:
    try:
        content = _text_of(path)
        found: Any = json.loads(content) if content is not None else None
    except _UnfitError as why:
        return str(why)
    except (ValueError, RecursionError):
        return "is not JSON; an encrypted keystore, version 3, is"
    if content is None:
        return None
    if not isinstance(found, dict) or found.get("version") != 3 or not ({"crypto", "Crypto"} & found.keys()):
        return "is not an encrypted keystore of version 3: make one with `keeper keystore new`, or `import`"
    named = str(found.get("address", "")).lower().removeprefix("0x")
    if named and is_address(signer.address) and named != signer.address.lower().removeprefix("0x"):
        return f"holds the key of 0x{named[:40]}, the settings say {signer.address}; correct `address` or `keystore`"
    return None


def _unfit_password(path: Path) -> str | None:
    try:
        content = _text_of(path)
    except _UnfitError as why:
        return str(why)
    return "is empty" if content is not None and not content.rstrip("\r\n") else None


def _text_of(path: Path) -> str | None:
    """Return a file's text; None for a pipe or the like, which is read once only. Raises _UnfitError."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _UnfitError("is a folder; name a file")
        if stat.S_ISFIFO(mode):
            return None
        if not stat.S_ISREG(mode):
            raise _UnfitError("is a device; name a file")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise _UnfitError("does not exist") from None
    except OSError as error:
        raise _UnfitError(f"cannot be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise _UnfitError("is far too long")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _UnfitError("is not UTF-8 text: save it anew as UTF-8") from None


# --- where things are written ----------------------------------------------------------------------------------------


def _journal(of: Settings) -> Iterator[str]:
    text = of.journal_url.reveal()
    scheme, is_url, rest = text.partition("://")
    if is_url and not scheme.startswith("sqlite"):
        if importlib.util.find_spec("psycopg") is None:
            yield f"{of.journal_source}: PostgreSQL needs its driver: pip install 'position-keeper[postgres]'"
        return
    file = Path(rest[1:].partition("?")[0] if is_url else text)
    if why := _unfit_journal(file):
        yield f"{of.journal_source}: {file} {why}"


def _unfit_journal(file: Path) -> str | None:
    try:
        file = file.expanduser()
        if file.is_dir():
            return "is a folder; name a file in it, like keeper.sqlite"
        if not file.exists():
            return _unfit_folder(file.parent)
        if not file.is_file():
            return "is a device; name a file, like keeper.sqlite"
        with file.open("rb") as opened:
            begins = opened.read(16)
    except (OSError, RuntimeError) as error:
        return f"cannot be opened: {getattr(error, 'strerror', None) or error}"
    if begins and begins != b"SQLite format 3\0":
        return "is another kind of file, not a journal; name one of its own"
    return None if os.access(file, os.W_OK) else "may not be written by this user"


def _unfit_folder(folder: Path) -> str | None:
    """Return why nothing can be made in a folder, which need not be there yet."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not there.is_dir():
        return f"cannot be made: {there} is a file"
    return None if os.access(there, os.W_OK | os.X_OK) else f"cannot be made: this user may not write in {there}"


def _state(of: Settings, env: Mapping[str, str]) -> Iterator[str]:
    named, where = of.daemon.state_dir, f"{of.path}: daemon.state_dir"
    if named is None and (own := env.get("KEEPER_STATE_DIR")):
        named, where = Path(own), "KEEPER_STATE_DIR (environment)"
    if named is None:
        return
    try:
        why = _unfit_folder(named.expanduser())
    except (OSError, RuntimeError) as error:
        why = f"cannot be made: {getattr(error, 'strerror', None) or error}"
    if why:
        yield f"{where}: {named} {why}"


# --- what is asked for or started ------------------------------------------------------------------------------------


def _metrics(of: Settings) -> Iterator[str]:
    """Yield that the port is another program's; a keeper's own, running already, is as it should be."""
    port = of.daemon.metrics_port
    if port is not None and (why := _unbound(port)) and not _is_keeper(port):
        yield f"{of.path}: daemon.metrics_port: {port} cannot be used: {why}; name another port"


def _unbound(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError as error:
            return str(error.strerror).lower()
    return None


def _is_keeper(port: int) -> bool:
    """Return whether what listens at a port serves a keeper's metrics."""
    try:
        with socket.create_connection((_LOOPBACK, port), timeout=_PATIENCE_S) as asked:
            asked.settimeout(_PATIENCE_S)
            asked.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            answer = b""
            while len(answer) < _MOST_BYTES and (more := asked.recv(65_536)):
                answer += more
    except OSError:
        return False
    return b"keeper_live" in answer


def _anvil(env: Mapping[str, str]) -> Iterator[str]:
    named = env.get("KEEPER_ANVIL")
    if named and shutil.which(named) is None:
        yield f"KEEPER_ANVIL (environment): {named} is no program that can be run; correct it, or leave it out"
