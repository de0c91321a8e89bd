"""The page served on a port of its own, for a real browser."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import uvicorn

from keeper.web.app import build
from keeper.web.door import Access
from keeper.web.sight import Onlooker


@contextmanager
def serving(sights: Sequence[Onlooker], access: Access) -> Iterator[int]:
    """Serve it in a thread; yields the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = int(listening.getsockname()[1])
    _, door = build(sights, replace(access, port=port))
    server = uvicorn.Server(uvicorn.Config(door, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(5)
