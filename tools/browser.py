"""A headless Chromium driven over its own protocol: for the tests of the page and its pictures. Nothing is fetched.

Debian's package is called ``chromium``; KEEPER_CHROMIUM names another one.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from websockets.sync.client import ClientConnection, connect

START_S, ANSWER_S, SETTLE_S = 30.0, 30.0, 0.4


class BrowserError(Exception):
    """The browser did not do what it was asked."""


def chromium() -> str | None:
    """Return where the browser is; None where there is none."""
    return shutil.which(os.environ.get("KEEPER_CHROMIUM") or "chromium") or shutil.which("chromium-browser")


class Tab:
    """One tab: what it asks for is counted, what it says on its console is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._ids = socket, itertools.count(1)
        self.requested: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """Ask, and take in what happens until the answer is there."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": given}))
        while (message := self._next(ANSWER_S)).get("id") != number:
            pass
        if "error" in message:
            raise BrowserError(f"{method}: {message['error'].get('message')}")
        found: dict[str, Any] = message["result"]
        return found

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Be a screen of this size; a narrow one is a phone."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)

    def open(self, address: str) -> None:
        """Go there, and wait until it has come to rest."""
        self.ask("Page.navigate", url=address)
        until = time.monotonic() + ANSWER_S
        while self.run("document.readyState") != "complete" or self.run("location.pathname") == "/enter":
            if time.monotonic() > until:
                raise BrowserError(f"{address} did not load")
            time.sleep(0.05)
        time.sleep(SETTLE_S)

    def run(self, script: str) -> Any:
        """Return what a script comes to."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise BrowserError(found["exceptionDetails"].get("text", script))
        return found["result"].get("value")

    def picture(self, file: Path, *, whole: bool = True) -> None:
        """Write a picture of the page, or of what of it is on the screen."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def wait(self, seconds: float) -> None:
        """Take in what happens meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                self._next(left)
            except TimeoutError:
                return

    def _next(self, timeout: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=timeout))
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(message["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(
                    str(message["params"]["exceptionDetails"].get("exception", {}).get("description"))
                )
        return message


@contextmanager
def browser() -> Iterator[Tab]:
    """Start one with an empty profile, and end it."""
    program = chromium()
    if program is None:
        raise BrowserError("there is no chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home:
        command = [
            program,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ]
        command += [
            "--remote-debugging-port=0",
            f"--user-data-dir={home}",
            "--disable-background-networking",
            "about:blank",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                with connect(_address(Path(home)), max_size=None, proxy=None) as socket:
                    yield Tab(socket)
            finally:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()


def _address(home: Path) -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            port = (home / "DevToolsActivePort").read_text().split()[0]
            tabs = requests.get(f"http://127.0.0.1:{port}/json/list", timeout=2, proxies={"http": ""}).json()
            return next(str(tab["webSocketDebuggerUrl"]) for tab in tabs if tab["type"] == "page")
        except (OSError, IndexError, StopIteration, ValueError):
            time.sleep(0.1)
    raise BrowserError("chromium did not start")
