"""Services that take alarms, and some that do not: too many requests, no TLS, no answer, an answer without an end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Desk:
    """A service that takes messages, and answers each with a status that may be changed."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.taken = status, list[str]()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if desk.status == 200:
                    desk.taken.append(text)
                self.send_response(desk.status)
                self.send_header("Retry-After", "3600")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/secret-token"
        threading.Thread(target=lambda: self.server.serve_forever(0.01), daemon=True).start()


@contextmanager
def busy() -> Iterator[str]:
    """Too many requests, for an hour."""
    desk = Desk(429)
    yield desk.url
    desk.server.shutdown()


@contextmanager
def no_tls() -> Iterator[str]:
    """It speaks no TLS where TLS is asked for."""
    desk = Desk()
    yield desk.url.replace("json://", "jsons://")
    desk.server.shutdown()


@contextmanager
def silent(drip: bytes = b"") -> Iterator[str]:
    """It takes the connection and never ends its answer; ``drip`` is sent again and again."""
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as taken:

        def drips(connection: socket.socket) -> None:
            try:
                while True:
                    connection.sendall(drip)
                    time.sleep(0.1)
            except OSError:
                pass

        def serve() -> None:
            try:
                while True:
                    connection = taken.enter_context(server.accept()[0])
                    if drip:
                        threading.Thread(target=drips, args=(connection,), daemon=True).start()
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"json://127.0.0.1:{server.getsockname()[1]}/secret-token"
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def dripping() -> Iterator[str]:
    """Headers without an end: no time limit of one read ends it."""
    with silent(b"HTTP/1.1 200 OK\r\nX-A: b\r\n") as url:
        yield url


Broken = Callable[[], AbstractContextManager[str]]
BROKEN: tuple[Broken, ...] = (busy, no_tls, silent, dripping)
