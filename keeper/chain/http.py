"""JSON-RPC over HTTP: one request, one answer, or one typed error. No hidden retries."""

from __future__ import annotations

import asyncio
import json
import math
import time
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from keeper.chain.errors import NodeAwayError, NodeBusyError, TooBigError
from keeper.chain.refusals import refusal, wait_in

TOO_LARGE = 413
TOO_MANY = 429
UNAVAILABLE = 503


class HttpWire:
    """One endpoint over HTTP; connections are kept and reused."""

    def __init__(self, url: str, *, timeout_s: float, name: str) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._name = name
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, method: str, params: tuple[Any, ...]) -> object:
        """Return the JSON of one answer. Where the body is JSON-RPC it decides, whatever the HTTP status around it.

        Raises NodeAwayError; NodeBusyError and TooBigError where the status says so and the body says nothing more.
        """
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, separators=(",", ":"))
        try:
            status, after, answer = await self._post(body.encode())
        except TimeoutError:
            raise NodeAwayError(self._name, method, f"no answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NodeAwayError(self._name, method, f"cannot be reached ({type(error).__name__})") from None
        if status >= 400:
            return self._in_an_error(method, status, seconds_of(after), answer)
        try:
            return json.loads(answer)
        except ValueError:
            raise NodeAwayError(
                self._name, method, "the answer is not JSON; is `rpc_url` a JSON-RPC endpoint?"
            ) from None

    def _in_an_error(self, method: str, status: int, after_s: float | None, answer: bytes) -> object:
        """Return the JSON-RPC answer within an HTTP error. Raises what it refuses, else what the status says."""
        said = _json_rpc(answer)
        error = said.get("error") if said else None
        if said and error is None:
            return said
        if status == TOO_LARGE:
            raise TooBigError(self._name, method, status, "HTTP status 413: the request is too large", None)
        if error is not None:
            raise refusal(self._name, method, error, status=status, after_s=after_s)
        detail = f"HTTP status {status}"
        if status == TOO_MANY or (status == UNAVAILABLE and after_s is not None):
            words = wait_in(answer[:400].decode(errors="replace"))
            raise NodeBusyError(self._name, method, detail, words if after_s is None else after_s)
        raise NodeAwayError(self._name, method, detail)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        await asyncio.sleep(0)  # lets the transport finish closing

    async def _post(self, body: bytes) -> tuple[int, str | None, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                headers={"Content-Type": "application/json"},
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                read_bufsize=2**18,
            )
        async with self._session.post(self._url, data=body) as answer:
            return answer.status, answer.headers.get("Retry-After"), await answer.read()


def seconds_of(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date; None where it makes no sense."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after)) if math.isfinite(float(retry_after)) else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _json_rpc(answer: bytes) -> dict[str, Any] | None:
    """Return a body that is one JSON-RPC answer: its error is a table, or has a result. None for anything else."""
    try:
        said = json.loads(answer)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    return said if isinstance(said.get("error"), dict) or ("result" in said and "jsonrpc" in said) else None
