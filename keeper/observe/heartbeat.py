"""A sign of life for a dead-man's switch: its address is called after blocks that were judged to their end.

Whoever watches that address (healthchecks, Uptime Kuma, a cron monitor) alarms when it is silent: the one alarm that a
keeper cannot send itself. Nobody waits for it, and one that hangs holds nothing up.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any, Final

from keeper.observe import outward

TIMEOUT_S: Final = 10.0


class Heartbeat:
    """Calls one address, at most every so often. ``failed`` is called with the kind of error, never the address."""

    def __init__(self, url: str, every_s: float, failed: Callable[[str], None]) -> None:
        self._url = url
        self._every_s = every_s
        self._failed = failed
        self._last: float | None = None
        self._under_way = threading.Lock()
        self._opener = urllib.request.build_opener(_NoRedirect)
        outward.guard()

    def beat(self) -> None:
        """A block was judged to its end: call, where it is time. Returns at once."""
        now = time.monotonic()
        if self._last is not None and now - self._last < self._every_s:
            return
        if self._under_way.acquire(blocking=False):
            self._last = now
            threading.Thread(target=self._beaten, name="heartbeat", daemon=True).start()

    def _beaten(self) -> None:
        try:
            self.call()
        finally:
            self._under_way.release()

    def call(self) -> None:
        """Call now, and wait for the answer: for who tries whether it is there."""
        try:
            with outward.only(), self._opener.open(self._url, timeout=TIMEOUT_S) as answer:
                answer.read(1024)
        except Exception as error:  # noqa: BLE001 - whatever a server does; its silence is what its owner hears
            self._failed(type(error).__name__)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Return that a redirect is not followed."""
