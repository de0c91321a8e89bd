"""A local server that speaks a remote signer's JSON-RPC: Web3Signer's answers, or Clef's; honest or not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from eth_account import Account

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
Change = Callable[[dict[str, Any]], None]


class SigningStand:
    """Signs what it is asked to, with one key; ``alter`` changes what it signs, ``answer`` what it says."""

    def __init__(self, key: str = KEY, *, is_clef: bool = False) -> None:
        self.account = Account.from_key(key)
        self.is_clef = is_clef
        self.asked = list[tuple[str, Any]]()
        self.alter: Change = lambda _: None
        self.answer: Callable[[str], Any] = lambda raw: raw
        self.error: dict[str, Any] | None = None
        self.delay_s = 0.0
        stand = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(stand.answered(asked)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that leave early
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answered(self, asked: dict[str, Any]) -> dict[str, Any]:
        method, params = asked["method"], asked["params"]
        self.asked.append((method, params))
        time.sleep(self.delay_s)
        head = {"jsonrpc": "2.0", "id": asked["id"]}
        sign, accounts = (
            ("account_signTransaction", "account_list") if self.is_clef else ("eth_signTransaction", "eth_accounts")
        )
        if self.error:
            return head | {"error": self.error}
        if method == accounts:
            return head | {"result": [self.account.address.lower()]}
        if method != sign:
            return head | {"error": {"code": -32601, "message": f"{method} not found"}}
        raw = self.signed(params[0])
        return head | {"result": self.answer({"raw": raw, "tx": {}} if self.is_clef else raw)}

    def signed(self, of: dict[str, Any]) -> str:
        """Return signed bytes, as eth-account makes them: another hand than the keeper's own."""
        if of["from"] != self.account.address:
            raise AssertionError("it is asked for its own account alone")
        numbers = ("value", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "nonce", "chainId")
        fields = {name: int(of[name], 16) for name in numbers} | {"to": of["to"], "data": of["data"], "type": 2}
        self.alter(fields)
        return "0x" + bytes(self.account.sign_transaction(fields).raw_transaction).hex()
