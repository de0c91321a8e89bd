"""A local way through to a node for a program beside us, which so never learns the node's address or its token.

What another program is given on its command line everybody on the machine can read. It is given an address of the
loopback interface instead, with a path nobody can guess, that takes reads only and ends with whoever opened it.
"""

from __future__ import annotations

import secrets
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from keeper.chain import bounded
from keeper.chain.client import READING, Node
from keeper.chain.errors import ForbiddenMethodError, NodeError, NodeRefusedError

PASSED: Final = (READING - {"eth_subscribe", "eth_unsubscribe"}) | {
    "eth_blobBaseFee",
    "eth_gasPrice",
    "eth_getAccount",
    "eth_getAccountInfo",
    "eth_getBlockReceipts",
    "eth_getProof",
    "eth_getStorageAt",
    "eth_maxPriorityFeePerGas",
    "eth_syncing",
    "net_version",
}
"""Methods that a fork reads its chain with. Nothing in this list changes one."""
MOST_AT_ONCE: Final = 100
"""Requests in one batch."""
_NO_METHOD: Final = -32601
_AWAY: Final = -32603
_INVALID: Final = -32600


class Passage:
    """An async context manager: ``url`` leads to the node while it is entered, on this machine only."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        self._node = Node(url, timeout_s=timeout_s, allowed=PASSED)
        self._path = f"/{secrets.token_urlsafe(32)}"
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=bounded.LARGEST)
        app.router.add_post(self._path, self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{self._path}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        await self._node.close()

    async def _pass(self, request: web.Request) -> web.Response:
        try:
            asked = bounded.parsed(await request.read())
        except bounded.UnfitAnswerError:
            return web.json_response(_error(None, _INVALID, "not JSON"))
        if not isinstance(asked, list):
            return web.json_response(await self._answer(asked))
        return web.json_response([await self._answer(each) for each in asked[:MOST_AT_ONCE]])

    async def _answer(self, asked: object) -> dict[str, Any]:
        if not isinstance(asked, dict):
            return _error(None, _INVALID, "not a request")
        id_, method, params = asked.get("id"), asked.get("method"), asked.get("params") or []
        if not isinstance(method, str) or not isinstance(params, list):
            return _error(id_, _INVALID, "not a request")
        try:
            return {"jsonrpc": "2.0", "id": id_, "result": await self._node.request(method, *params)}
        except ForbiddenMethodError:
            return _error(id_, _NO_METHOD, f"{method} is not passed on")
        except NodeRefusedError as error:
            return _error(id_, error.code, error.message, error.data)
        except NodeError as error:
            return _error(id_, _AWAY, error.detail)


def _error(id_: Any, code: int, message: str, data: str | None = None) -> dict[str, Any]:
    error = {"code": code, "message": message} | ({"data": data} if data is not None else {})
    return {"jsonrpc": "2.0", "id": id_, "error": error}
