"""JSON-RPC over HTTP: one request, one answer, or one typed error. No hidden retries."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from keeper.chain.errors import NodeAwayError, TooBigError

TOO_LARGE = 413


class HttpWire:
    """One endpoint over HTTP; connections are kept and reused."""

    def __init__(self, url: str, *, timeout_s: float, name: str) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._name = name
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, method: str, params: tuple[Any, ...]) -> object:
        """Return the JSON of one answer. Raises NodeAwayError; TooBigError when the node says the request is."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, separators=(",", ":"))
        try:
            status, answer = await self._post(body.encode())
        except TimeoutError:
            raise NodeAwayError(self._name, method, f"no answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NodeAwayError(self._name, method, f"cannot be reached ({type(error).__name__})") from None
        if status == TOO_LARGE:
            raise TooBigError(self._name, method, status, "HTTP status 413: the request is too large", None)
        if status >= 400:
            raise NodeAwayError(self._name, method, f"HTTP status {status}")
        try:
            return json.loads(answer)
        except ValueError:
            raise NodeAwayError(
                self._name, method, "the answer is not JSON; is `rpc_url` a JSON-RPC endpoint?"
            ) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        await asyncio.sleep(0)  # lets the transport finish closing

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                headers={"Content-Type": "application/json"},
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                read_bufsize=2**18,
            )
        async with self._session.post(self._url, data=body) as answer:
            return answer.status, await answer.read()
