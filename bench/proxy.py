"""A JSON-RPC proxy that counts what passes and may add the way to a distant node."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Self

import aiohttp
from aiohttp import web


class Proxy:
    """An async context manager; ``seen`` counts requests by method."""

    def __init__(self, target: str, delay_s: float = 0.0) -> None:
        self.seen: Counter[str] = Counter()
        self._target = target
        self._delay_s = delay_s

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession()
        application = web.Application(client_max_size=2**28)
        application.router.add_post("/", self._pass)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _pass(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.seen[json.loads(body)["method"]] += 1
        await asyncio.sleep(self._delay_s)
        async with self._client.post(self._target, data=body, headers={"Content-Type": "application/json"}) as answer:
            return web.Response(body=await answer.read(), content_type="application/json")
