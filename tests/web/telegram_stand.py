"""A local server that speaks Telegram's Bot API: getUpdates by long polling, sendMessage; honest, failing or silent."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "123456789:AAFplantedTokenOfTheBot_0123456789abc"


class TelegramStand:
    """Holds what was written to the bot, and what the bot said."""

    def __init__(self) -> None:
        self.said = list[tuple[int, str]]()
        self.calls = list[str]()
        self.status = 200
        self.hangs = False
        self._updates = list[dict[str, Any]]()
        self._news = threading.Condition()
        stand = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                token, _, method = self.path.removeprefix("/bot").partition("/")
                stand.calls.append(method)
                while stand.hangs:
                    time.sleep(0.05)
                status = stand.status if token == TOKEN else 401
                body = {"ok": status == 200, "result": stand.answered(method, given) if status == 200 else None}
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

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
        self.hangs = False
        self._server.shutdown()
        self._server.server_close()

    def answered(self, method: str, given: dict[str, Any]) -> Any:
        if method == "sendMessage":
            with self._news:
                self.said.append((given["chat_id"], given["text"]))
                self._news.notify_all()
            return {}
        until, after = time.monotonic() + min(given["timeout"], 0.5), given.get("offset", 0)
        with self._news:
            while not (new := [u for u in self._updates if u["update_id"] >= after]) and time.monotonic() < until:
                self._news.wait(0.05)
        return new

    def write(self, text: str, chat: int = 7, sender: int | None = None, ago_s: int = 0, **more: Any) -> None:
        """Somebody writes to the bot."""
        with self._news:
            message = {"message_id": 1, "date": int(time.time()) - ago_s, "text": text, "chat": {"id": chat}}
            message |= {"from": {"id": chat if sender is None else sender}} | more
            self._updates.append({"update_id": len(self._updates) + 1, "message": message})
            self._news.notify_all()

    def wait_for(self, count: int, seconds: float = 20.0) -> str:
        """Return the newest of so many answers."""
        until = time.monotonic() + seconds
        with self._news:
            while len(self.said) < count:
                assert time.monotonic() < until, self.said
                self._news.wait(0.1)
        return self.said[count - 1][1]
