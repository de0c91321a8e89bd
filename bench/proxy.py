"""A JSON-RPC proxy in a process of its own: counts what passes, over HTTP and WebSocket, and adds the way to a node.

    with Proxy(world.url, delay_ms=50) as proxy:
        ...                     # proxy.url, proxy.ws_url
        proxy.seen()            # requests by method since the last time

Half of the delay is added on the way there, half on the way back; requests side by side do not wait for each other,
and their order is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Self

import aiohttp
import requests
from aiohttp import WSMsgType, web

_MOST = 2**28
SEND = "eth_sendRawTransaction"


class Proxy:
    """A context manager around the process."""

    def __init__(self, target: str, delay_ms: float = 0.0) -> None:
        self._command = [sys.executable, "-m", "bench.proxy", target, str(delay_ms)]
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self.url, self.ws_url = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._session.close()

    def seen(self) -> Counter[str]:
        """What was asked since the last time, by method."""
        return Counter(self._session.get(f"{self.url}/seen", timeout=5).json())

    def hang_up(self) -> None:
        """Drop every WebSocket."""
        self._session.get(f"{self.url}/hang-up", timeout=5)

    def times(self) -> list[tuple[str, float]]:
        """What happened since the last time, by the machine's monotonic clock.

        A head was pushed (``head``), or a log (``log``); something was asked (its method); the sending of a transaction
        was answered (``ack``). Pushes and answers as they left for the client, questions as they came.
        """
        found = self._session.get(f"{self.url}/times", timeout=5).json()
        return [(what, float(at)) for what, at in found]


class _Server:
    def __init__(self, target: str, delay_ms: float) -> None:
        self._target = target
        self._half_s = delay_ms / 2000
        self._seen: Counter[str] = Counter()
        self._times: list[tuple[str, float]] = []
        self._sockets = set[web.WebSocketResponse]()

    async def serve(self) -> None:
        application = web.Application(client_max_size=_MOST)
        application.router.add_post("/", self._post)
        application.router.add_get("/", self._socket)
        application.router.add_get("/seen", self._tell)
        application.router.add_get("/times", self._tell_times)
        application.router.add_get("/hang-up", self._hang_up)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        async with aiohttp.ClientSession() as self._client:
            await asyncio.Event().wait()

    async def _tell(self, _: web.Request) -> web.Response:
        seen, self._seen = self._seen, Counter()
        return web.json_response(seen)

    async def _hang_up(self, _: web.Request) -> web.Response:
        for socket in tuple(self._sockets):
            await socket.close()
        return web.Response()

    async def _tell_times(self, _: web.Request) -> web.Response:
        times, self._times = self._times, []
        return web.json_response(times)

    def _clock(self, what: str) -> None:
        self._times = [*self._times[-9999:], (what, time.monotonic())]

    def _count(self, body: bytes | str) -> None:
        found = json.loads(body)
        for asked in found if isinstance(found, list) else [found]:
            self._seen[asked["method"]] += 1
            self._clock(asked["method"])

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._count(body)
        await _until(asyncio.get_running_loop().time() + self._half_s)
        async with self._client.post(self._target, data=body, headers={"Content-Type": "application/json"}) as answer:
            said = await answer.read()
        await _until(asyncio.get_running_loop().time() + self._half_s)
        if SEND.encode() in body:
            self._clock("ack")
        return web.Response(status=answer.status, body=said, content_type="application/json")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        ours = web.WebSocketResponse(max_msg_size=_MOST)
        await ours.prepare(request)
        self._sockets.add(ours)
        target = self._target.replace("http", "ws", 1)
        async with self._client.ws_connect(target, max_msg_size=_MOST) as theirs, asyncio.TaskGroup() as both:
            sends = set[str]()

            def see(body: str) -> None:
                self._count(body)
                if SEND in body:
                    sends.add(str(json.loads(body)["id"]))

            async def back(message: str) -> None:
                if '"eth_subscription"' in message[:99]:
                    self._clock("head" if '"parentHash"' in message else "log")
                elif sends and str(json.loads(message).get("id")) in sends:
                    self._clock("ack")
                await ours.send_str(message)

            both.create_task(self._along(theirs, back))
            await self._along(ours, theirs.send_str, see)
            await theirs.close()
        self._sockets.discard(ours)
        return ours

    async def _along(
        self,
        source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
        send: Callable[[str], Awaitable[None]],
        see: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Pass messages on in their order, each as late as the way is long."""
        queue: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()
        now = asyncio.get_running_loop().time

        async def deliver() -> None:
            with contextlib.suppress(ConnectionError):  # whoever asked has gone
                while (waiting := await queue.get()) is not None:
                    await _until(waiting[0])
                    await send(waiting[1])

        async with asyncio.TaskGroup() as group:
            group.create_task(deliver())
            async for message in source:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    body = message.data if isinstance(message.data, str) else message.data.decode()
                    see(body)
                    queue.put_nowait((now() + self._half_s, body))
            queue.put_nowait(None)


async def _until(moment: float) -> None:
    """Sleep until a moment of the loop's clock, to the tenth of a millisecond: timers alone are a whole one late."""
    now = asyncio.get_running_loop().time
    await asyncio.sleep(max(0.0, moment - now() - 0.002))
    while now() < moment:  # noqa: ASYNC110 - there is nothing to wait on
        await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(_Server(sys.argv[1], float(sys.argv[2])).serve())
