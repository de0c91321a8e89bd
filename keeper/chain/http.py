"""JSON-RPC over HTTP: one request, one answer, or one typed error. No hidden retries, no redirects."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp

from keeper.chain import bounded
from keeper.chain.errors import NodeAwayError, NodeBusyError, TooBigError
from keeper.chain.refusals import refusal, wait_in
from keeper.chain.request import encoded
from keeper.chain.retry_after import TOO_MANY, seconds_of

TOO_LARGE = 413
UNAVAILABLE = 503
_KINDS = frozenset({"", "application/json", "application/json-rpc", "text/json", "text/plain"})
"""Content types of JSON, as nodes name it. A web page is none."""


@dataclass(frozen=True, slots=True)
class _Got:
    """An HTTP answer: its content type without parameters; None in place of a body that is too long."""

    status: int
    kind: str
    after_s: float | None
    body: bytes | None


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
        body = encoded(1, method, params)
        try:
            got = await self._post(body, bounded.most_bytes(method))
        except bounded.UnfitAnswerError as error:
            raise NodeAwayError(self._name, method, f"the answer cannot be read: {error}") from None
        except TimeoutError:
            raise NodeAwayError(self._name, method, f"no answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NodeAwayError(self._name, method, f"cannot be reached ({type(error).__name__})") from None
        return self._in_an_error(method, got) if got.status >= 400 else self._in_an_answer(method, got)

    def _in_an_answer(self, method: str, got: _Got) -> object:
        if got.status >= 300:
            detail = f"HTTP status {got.status}: write the address it leads to in `rpc_url`"
            raise NodeAwayError(self._name, method, detail)
        if got.body is None:
            raise bounded.oversized(self._name, method)
        if got.kind not in _KINDS:
            raise NodeAwayError(self._name, method, "the answer is not JSON; is `rpc_url` a JSON-RPC endpoint?")
        try:
            return bounded.parsed(got.body)
        except bounded.UnfitAnswerError as error:
            detail = f"the answer is not used: {error}; is `rpc_url` a JSON-RPC endpoint?"
            raise NodeAwayError(self._name, method, detail) from None

    def _in_an_error(self, method: str, got: _Got) -> object:
        """Return the JSON-RPC answer within an HTTP error. Raises what it refuses, else what the status says."""
        status, after_s, body = got.status, got.after_s, got.body or b""
        said = _json_rpc(body)
        error = said.get("error") if said else None
        if said and error is None:
            return said
        if status == TOO_LARGE:
            raise TooBigError(self._name, method, status, "HTTP status 413: the request is too large", None)
        if error is not None:
            raise refusal(self._name, method, error, status=status, after_s=after_s)
        detail = f"HTTP status {status}"
        if status == TOO_MANY or (status == UNAVAILABLE and after_s is not None):
            words = wait_in(body[:400].decode(errors="replace"))
            raise NodeBusyError(self._name, method, detail, words if after_s is None else after_s)
        raise NodeAwayError(self._name, method, detail)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        await asyncio.sleep(0)  # lets the transport finish closing

    async def _post(self, body: bytes, most: int) -> _Got:
        """Return what came back. Follows no redirect, keeps no cookie. Raises UnfitAnswerError."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                headers={"Content-Type": "application/json", "Accept-Encoding": "gzip"},
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # it would know no bound
                read_bufsize=2**18,
            )
        async with self._session.post(self._url, data=body, allow_redirects=False) as answer:
            headers, packed = answer.headers, await _at_most(answer, most)
            encoding = headers.get("Content-Encoding", "").strip().lower()
            return _Got(
                status=answer.status,
                kind=headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                after_s=seconds_of(headers.get("Retry-After"), headers.get("Date")),
                body=None if packed is None else bounded.unpacked(packed, encoding, most),
            )


async def _at_most(answer: aiohttp.ClientResponse, most: int) -> bytes | None:
    """Return a body as it is on the wire, None as soon as it is longer than ``most``."""
    if (answer.content_length or 0) > most:
        return None
    parts, size = list[bytes](), 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > most:
            return None
    return b"".join(parts)


def _json_rpc(answer: bytes) -> dict[str, Any] | None:
    """Return a body that is one JSON-RPC answer: its error is a table, or has a result. None for anything else."""
    try:
        said = bounded.parsed(answer)
    except bounded.UnfitAnswerError:
        return None
    if not isinstance(said, dict):
        return None
    return said if isinstance(said.get("error"), dict) or ("result" in said and "jsonrpc" in said) else None
