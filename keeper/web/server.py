"""The page served: on the loopback interface alone, in a thread of its own where a daemon runs beside it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from keeper.settings import Settings, SettingsError
from keeper.web.app import build
from keeper.web.door import Access
from keeper.web.sight import Onlooker, Shelf
from keeper.web.tokens import TokenError, made_or_read, read

HOST = "127.0.0.1"
MOST_CONNECTIONS = 64
END_S = 3
"""How long open connections are waited for at the end."""


@dataclass(frozen=True, slots=True)
class Served:
    """A page that is ready to be served. ``socket`` listens already: that it cannot is known before anything begins."""

    sights: tuple[Onlooker, ...]
    latest: tuple[Shelf, ...] | None
    """Where each chain's daemon in this process puts what it sees; None for a page by itself."""
    access: Access
    socket: socket.socket
    token_file: Path

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.access.port}/"

    @property
    def link(self) -> str:
        """The address with the token in it: shown once, at the start."""
        return f"{self.address}enter?token={self.access.look.reveal()}"

    def server(self) -> uvicorn.Server:
        """Return the server. It logs nothing: an address may hold the token."""
        made = list[uvicorn.Server]()
        _, behind_the_door = build(self.sights, self.access, lambda: made[0].should_exit)
        config = uvicorn.Config(
            behind_the_door,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=END_S,
            h11_max_incomplete_event_size=16_384,
        )
        made.append(uvicorn.Server(config))
        return made[0]

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT: either is an orderly end."""
        for number in (signal.SIGTERM, signal.SIGINT):  # which the server raises once more when it has ended
            signal.signal(number, lambda *_: None)
        asyncio.run(self.server().serve(sockets=[self.socket]))

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """Serve meanwhile, in a thread with a loop of its own: a slow browser holds up no cycle."""
        server = self.server()
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[self.socket])), name="page", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            logging.getLogger("uvicorn.error").disabled = True  # who still reads nothing is cut off: no fault of ours
            server.should_exit = True
            thread.join(END_S + 2)


def ready(chains: Sequence[Settings], state: Path, *, port: int | None = None, beside: bool = False) -> Served:
    """Return the page of some chains, its tokens read and its port taken: the first file's ``[web]`` counts.

    Raises SettingsError.
    """
    first = chains[0]
    file = first.web.token_file or state / "page-token"
    try:
        look, _ = made_or_read(file)
        control = read(first.web.control_token_file) if first.web.control_token_file else None
    except TokenError as error:
        raise SettingsError([f"{first.path}: web: {error}"]) from None
    if control is not None and control.is_same(look.reveal()):
        raise SettingsError(
            [f"{first.path}: web.control_token_file: is the same as the page's own token; write another"]
        )
    listening = _listening(first, first.web.port if port is None else port)
    access = Access(look, control, first.web.names, listening.getsockname()[1])
    latest = tuple(Shelf() for _ in chains) if beside else None
    sights = tuple(Onlooker(of, latest[i] if latest else None) for i, of in enumerate(chains))
    return Served(sights, latest, access, listening, file)


def _listening(of: Settings, port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=64)
    except OSError as error:
        what = str(error.strerror).lower()
        raise SettingsError([f"{of.path}: web.port: {port} cannot be used: {what}; name another port"]) from None
