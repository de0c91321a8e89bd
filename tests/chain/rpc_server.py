"""Small real JSON-RPC servers over HTTP, which keep count and misbehave on request; and nodes built on them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from aiohttp import web
from eth_utils.crypto import keccak

from keeper.chain.client import Node
from keeper.chain.member import SEND_METHODS, Member, methods_of
from keeper.chain.nodes import Nodes
from keeper.chain.record import Aside, Role

CHAIN = 31337
BOTH = frozenset((Role.READ, Role.SEND))
READ = frozenset((Role.READ,))
SEND = frozenset((Role.SEND,))
PRIVATE = frozenset((Role.PRIVATE,))


def hash_of(number: int, branch: str = "a") -> str:
    return "0x" + f"{branch}{number}".encode().hex().rjust(64, "0")


class Server:
    """A chain of headers on one branch, and what it answers. ``branch`` forks off after ``fork_at``."""

    def __init__(self, head: int = 100) -> None:
        self.head = head
        self.branch, self.fork_at = "a", 10**9
        self.chain_id = CHAIN
        self.nonce = 7
        self.call_result = "0x01"
        self.delay_s = 0.0
        self.status = 200
        self.status_of: dict[str, int] = {}
        """HTTP status of a method's answers, whose body stays JSON-RPC."""
        self.body: str | None = None
        self.refusals: dict[str, dict[str, Any]] = {}
        self.results: dict[str, Any] = {}
        """By method, what is answered in place of the truth."""
        self.limit: int | None = None
        """Requests it grants within any second; above that HTTP 429, or ``limit_answer`` where it is set."""
        self.limit_answer: Callable[[], web.Response] = lambda: web.Response(status=429, text="too many requests")
        self.granted: deque[float] = deque(maxlen=10_000)
        self.limited: list[float] = []
        self.asked: Counter[str] = Counter()
        self.taken: list[Any] = []
        self.url = ""

    def hash(self, number: int) -> str:
        return hash_of(number, self.branch if number > self.fork_at else "a")

    def fork(self, after: int, branch: str = "b") -> None:
        self.fork_at, self.branch = after, branch

    async def handle(self, request: web.Request) -> web.Response:
        asked = await request.json()
        method, params = asked["method"], asked["params"]
        self.asked[method] += 1
        if self.limit is not None and not self.grants():
            return self.limit_answer()
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.status != 200 or self.body is not None:
            return web.Response(status=self.status, text=self.body or "")
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        said = {"error": self.refusals[method]} if method in self.refusals else self.answer(method, params)
        if method in self.results:
            said = {"result": self.results[method]}
        return web.json_response(answer | said, status=self.status_of.get(method, 200))

    def grants(self) -> bool:
        """Tell whether one more request is within the limit of a second that slides."""
        now = time.monotonic()
        if sum(at > now - 1 for at in self.granted) >= (self.limit or 0):
            self.limited.append(now)
            return False
        self.granted.append(now)
        return True

    def answer(self, method: str, params: list[Any]) -> dict[str, Any]:
        match method:
            case "eth_chainId":
                return {"result": hex(self.chain_id)}
            case "eth_getBlockByNumber":
                number = self.head if params[0] == "latest" else int(params[0], 16)
                return {"result": self.header(number) if number <= self.head else None}
            case "eth_call":
                known = {self.hash(n) for n in range(max(0, self.head - 20), self.head + 1)}
                if params[1]["blockHash"] in known:
                    return {"result": self.call_result}
                return {"error": {"code": -32001, "message": "header not found"}}
            case "eth_getTransactionCount":
                return {"result": hex(self.nonce)}
            case "eth_sendRawTransaction" | "eth_sendPrivateTransaction":
                self.taken.append(params[0])
                raw = params[0]["tx"] if isinstance(params[0], dict) else params[0]
                return {"result": "0x" + keccak(hexstr=raw).hex()}
            case _:
                return {"result": None}

    def header(self, number: int) -> dict[str, str]:
        timestamp = hex(1_700_000_000 + 12 * number)
        hashes = {"hash": self.hash(number), "parentHash": self.hash(number - 1)}
        return {"number": hex(number), "timestamp": timestamp, "baseFeePerGas": "0x1", **hashes}


class Clock:
    """Time that a test moves on; it runs along with the real one, for latencies."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Bench:
    """Servers, and nodes that ask them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, Aside]] = []
        self.warned: list[tuple[str, str, str]] = []
        self._sites: list[web.AppRunner] = []
        self._nodes: list[Nodes] = []

    async def server(self, head: int = 100) -> Server:
        server, app = Server(head), web.Application()
        app.router.add_post("/", server.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._sites.append(runner)
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return server

    def nodes(
        self, *servers: Server | str, roles: tuple[frozenset[Role], ...] = (), timeout_s: float = 5, live: bool = True
    ) -> Nodes:
        members = []
        for i, server in enumerate(servers):
            url = server if isinstance(server, str) else server.url
            role = roles[i] if roles else BOTH
            method = SEND_METHODS[1] if role == PRIVATE else SEND_METHODS[0]
            may = methods_of(role, method, is_live=live)
            node = Node(url, timeout_s=timeout_s, allowed=may, name=f"n{i}")
            members.append(Member(node, CHAIN, self.clock, self.tell, role, method))
        self._nodes.append(Nodes(members, clock=self.clock, warn=lambda *said: self.warned.append(said)))
        return self._nodes[-1]

    def tell(self, name: str, why: Aside, _detail: str) -> None:
        self.told.append((name, why))

    async def close(self) -> None:
        for nodes in self._nodes:
            await nodes.close()
        for runner in self._sites:
            await runner.cleanup()


async def head_of(nodes: Nodes) -> int:
    return int((await nodes.request("eth_getBlockByNumber", "latest", False))["number"], 16)
