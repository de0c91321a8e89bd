"""One JSON-RPC endpoint over HTTP: one request, one answer or one typed error. No hidden retries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import aiohttp
from web3.providers.rpc import AsyncHTTPProvider
from web3.types import RPCEndpoint

from keeper.chain.errors import ForbiddenMethodError, NodeAwayError, NodeRefusedError
from keeper.chain.health import host_of

READING: Final = frozenset(
    {
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_feeHistory",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_simulateV1",
        "web3_clientVersion",
    }
)
"""All that a connection may do in dry run. Nothing in this list changes a chain."""
SENDING: Final = READING | {"eth_sendRawTransaction"}

T = TypeVar("T")
Decode = Callable[[str, Any], T]
"""Turns the result of a node, which is named first, into a value. Raises NodeError where it makes no sense."""


class Upstream(Protocol):
    """What answers requests: one node, or several that act as one."""

    @property
    def name(self) -> str:
        """The node that is asked now, as it may be shown: never a URL."""

    async def request(self, method: str, *params: Any) -> Any:
        """Return the result of one request. Raises NodeError."""

    async def ask(self, decode: Decode[T], method: str, *params: Any) -> T:
        """Return a result as ``decode`` reads it. What it raises counts against the node that answered."""


class Node:
    """A node, and the methods this connection may use: ``READING`` unless the keeper runs live."""

    def __init__(
        self, url: str, *, timeout_s: float = 10.0, allowed: frozenset[str] = READING, name: str | None = None
    ) -> None:
        self._provider = AsyncHTTPProvider(
            url,
            request_kwargs={"timeout": aiohttp.ClientTimeout(total=timeout_s)},
            exception_retry_configuration=None,
        )
        self._allowed = allowed
        self._timeout_s = timeout_s
        self.name = name or host_of(url)

    def __repr__(self) -> str:
        return f"Node({self.name})"

    def may(self, method: str) -> bool:
        """Whether this connection may use a method at all."""
        return method in self._allowed

    async def ask(self, decode: Decode[T], method: str, *params: Any) -> T:
        """Return a result as ``decode`` reads it. Raises as ``request`` and ``decode`` do."""
        return decode(self.name, await self.request(method, *params))

    async def request(self, method: str, *params: Any) -> Any:
        """Return the result of one request. Raises NodeAwayError or NodeRefusedError; ForbiddenMethodError unsent."""
        if not self.may(method):
            raise ForbiddenMethodError(f"{method} on a connection that may not use it")
        try:
            answer: object = await self._provider.make_request(RPCEndpoint(method), list(params))
        except TimeoutError:
            raise NodeAwayError(self.name, method, f"no answer within {self._timeout_s:g} s") from None
        except aiohttp.ClientResponseError as error:
            raise NodeAwayError(self.name, method, f"HTTP status {error.status}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NodeAwayError(self.name, method, f"cannot be reached ({type(error).__name__})") from None
        except (json.JSONDecodeError, UnicodeDecodeError, ValueError):
            raise NodeAwayError(
                self.name, method, "the answer is not JSON; is `rpc_url` a JSON-RPC endpoint?"
            ) from None
        if not isinstance(answer, dict) or not ("result" in answer or "error" in answer):
            raise NodeAwayError(self.name, method, "the answer is not JSON-RPC; is `rpc_url` right?")
        error_ = answer.get("error")
        if error_ is not None:
            raise _refusal(self.name, method, error_)
        return answer.get("result")

    async def close(self) -> None:
        """Close the connection."""
        await self._provider.disconnect()
        await asyncio.sleep(0)  # lets the transport finish closing


def _refusal(name: str, method: str, error: Any) -> NodeRefusedError:
    if not isinstance(error, dict):
        return NodeRefusedError(name, method, 0, str(error), None)
    code, data = error.get("code"), error.get("data")
    return NodeRefusedError(
        name,
        method,
        code if isinstance(code, int) else 0,
        str(error.get("message", "")),
        data if isinstance(data, str) else None,
    )
