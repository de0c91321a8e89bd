"""A JSON-RPC proxy in front of a node: writes down what was asked, and misbehaves when told to.

    with RpcProxy(world.url) as proxy:
        ...                        # point the keeper at proxy.url
        assert proxy.sent == []    # nothing that sends ever reached the node

Faults are functions of a request; what they return is answered instead, None lets it pass:

    proxy.fault = html             # or hang(2), status(503), refuse, answered("eth_chainId", "0x1")

``around`` sees a request and the way onward, and decides itself when to go it, how often, and what to answer:

    proxy.around = lambda request, onward: [onward(), refuse(request)][1]     # done, but nobody hears of it
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

Request = dict[str, Any]
Answer = tuple[int, str, bytes]
"""Status, content type, body."""
Fault = Callable[[Request], Answer | None]
Around = Callable[[Request, Callable[[], Answer]], Answer]
"""Of single requests only: a batch passes."""

SENDS = ("eth_send", "anvil_", "evm_", "hardhat_", "personal_", "eth_sign", "debug_set", "miner_")


class RpcProxy:
    """Serves on a free port of the loopback interface until left."""

    def __init__(self, upstream: str) -> None:
        self.fault: Fault | None = None
        self.around: Around | None = None
        self.upstream = urlsplit(upstream).netloc
        """May be set to another node's host and port while running."""
        self.asked: list[Request] = []
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one packet: else each answer waits 40 ms for an acknowledgement
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, kind, answer = proxy._answer(body)
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that leave early
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def methods(self) -> Counter[str]:
        """How often each method was asked."""
        with self._lock:
            return Counter(request["method"] for request in self.asked)

    @property
    def sent(self) -> list[str]:
        """The methods asked that change a chain or sign, in order."""
        with self._lock:
            return [r["method"] for r in self.asked if r["method"].startswith(SENDS)]

    def forget(self) -> None:
        """Begin a new record."""
        with self._lock:
            self.asked = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, body: bytes) -> Answer:
        asked = json.loads(body)
        requests = asked if isinstance(asked, list) else [asked]
        with self._lock:
            self.asked += requests
        for request in requests:
            if self.fault and (instead := self.fault(request)):
                return instead
        if self.around and isinstance(asked, dict):
            return self.around(asked, lambda: self._forward(asked))
        return self._forward(asked)

    def _forward(self, asked: Request | list[Request]) -> Answer:
        node = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            # a fault may have changed the request
            node.request("POST", "/", json.dumps(asked), {"Content-Type": "application/json"})
            response = node.getresponse()
            return response.status, "application/json", response.read()
        except OSError:
            return refuse({})  # the node itself is away
        finally:
            node.close()


# --- faults ----------------------------------------------------------------------------------------------------------


def refuse(_: Request) -> Answer:
    """Close the connection without a word."""
    return 0, "", b""


def html(_: Request) -> Answer:
    """A web page, as a wrong URL or a gateway gives."""
    return 200, "text/html", b"<html><body>Welcome to nginx</body></html>"


def status(code: int) -> Fault:
    """An HTTP error."""
    return lambda _: (code, "text/plain", b"no")


def hang(seconds: float) -> Fault:
    """Nothing for a while."""

    def fault(_: Request) -> Answer | None:
        time.sleep(seconds)
        return None

    return fault


def answered(method: str, result: Any) -> Fault:
    """One method answers something of our choosing."""

    def fault(request: Request) -> Answer | None:
        if request["method"] != method:
            return None
        return 200, "application/json", json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()

    return fault


def failing(method: str, code: int = -32000, message: str = "no") -> Fault:
    """One method is refused with a JSON-RPC error."""

    def fault(request: Request) -> Answer | None:
        if request["method"] != method:
            return None
        body = {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}
        return 200, "application/json", json.dumps(body).encode()

    return fault


def of_another_block(number: int) -> Fault:
    """Every call is answered from the state of an earlier block, as a node behind a load balancer may do."""

    def fault(request: Request) -> Answer | None:
        if request["method"] == "eth_call":
            request["params"][1] = hex(number)
        return None

    return fault


def late(seconds: float, message: str = "header not found") -> Fault:
    """Reads by a hash are refused for a while after it is first seen: the node knows the head, and not its state."""
    since: dict[str, float] = {}

    def fault(request: Request) -> Answer | None:
        at = [p["blockHash"] for p in request["params"] if isinstance(p, dict) and "blockHash" in p]
        if not at or time.monotonic() - since.setdefault(at[0], time.monotonic()) >= seconds:
            return None
        return failing(request["method"], message=message)(request)

    return fault


def limited(count: int, answer: Answer = (429, "text/plain", b"too many requests")) -> Fault:
    """So many requests are granted within any second; more are answered so."""
    granted: list[float] = []
    lock = threading.Lock()

    def fault(_: Request) -> Answer | None:
        with lock:
            now = time.monotonic()
            granted[:] = [at for at in granted if at > now - 1]
            if len(granted) >= count:
                return answer
            granted.append(now)
            return None

    return fault


def times(count: int, fault: Fault) -> Fault:
    """A fault that passes: so many requests that it meets suffer it."""
    left = [count]

    def passing(request: Request) -> Answer | None:
        instead = fault(request) if left[0] > 0 else None
        left[0] -= instead is not None
        return instead

    return passing


def stale(count: int, number: int) -> Fault:
    """The first so many calls are answered from an earlier block."""
    left = [count]

    def fault(request: Request) -> Answer | None:
        if request["method"] == "eth_call" and isinstance(request["params"][1], dict) and left[0] > 0:
            left[0] -= 1
            request["params"][1] = hex(number)
        return None

    return fault


def unless(method: str, fault: Fault) -> Fault:
    """A fault of every method but one."""
    return lambda request: None if request["method"] == method else fault(request)
