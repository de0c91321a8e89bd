"""systemd's own protocol (sd_notify): ready, alive after each judged block, and a line of how it stands.

The watchdog is fed by blocks that were judged to their end and by nothing else: a loop that hangs is restarted.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Supervisor:
    """Speaks to whoever supervises the process by NOTIFY_SOCKET; to nobody where there is none."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        named = (os.environ if environment is None else environment).get("NOTIFY_SOCKET", "")
        self._address = f"\0{named[1:]}" if named.startswith("@") else named

    def judged(self, status: str) -> None:
        """A block was judged to its end: it is ready, and alive."""
        self._say(f"READY=1\nWATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        """An orderly end begins."""
        self._say("STOPPING=1\nSTATUS=finishing what is in flight")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),  # a supervisor that is gone is no reason to stop
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as out,
        ):
            out.sendto(text.encode(), self._address)
