"""Connections of alarm services lead outward: none where a machine keeps its own secrets, whatever a name resolves to.

A name is looked up when it is connected to, and may mean another address each time. So the address is looked at when
the connection is made: by Python's own audit event, for the libraries that deliver open their sockets themselves.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cache
from typing import Any, Final

from keeper.observe.alarm_address import keeps_secrets

_EVENTS: Final = frozenset({"socket.connect", "socket.sendto"})
_is_guarded: ContextVar[bool] = ContextVar("only outward", default=False)
"""Goes with what is done, also into the threads of Apprise: it hands its context on to them."""


class InwardError(OSError):
    """An alarm was about to be sent where a machine keeps its own secrets."""


@contextlib.contextmanager
def only() -> Iterator[None]:
    """Open no connection inward meanwhile, in whatever thread."""
    before = _is_guarded.set(True)
    try:
        yield
    finally:
        _is_guarded.reset(before)


@cache
def guard() -> None:
    """Look at every connection that is made within ``only`` from here on. Once a process, and for good."""
    sys.addaudithook(_look)


def _look(event: str, args: tuple[Any, ...]) -> None:
    if event in _EVENTS and _is_guarded.get():
        for host in _numbers(args[-1]):
            if keeps_secrets(host):
                raise InwardError(f"{host} is no alarm service")


def _numbers(address: Any) -> list[str]:
    """Return the hosts that an address of a socket means; none for one that leaves no machine, as a file's name."""
    if not (isinstance(address, tuple) and address and isinstance(address[0], str)):
        return []
    host = address[0]
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return [host]
    return [host, *(str(where[4][0]) for where in found)]
