"""All addresses of one keeper: where one does not deliver, its owner hears of it at the others, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from keeper.core.notices import sentence

QUIET_S: Final = 3600.0
"""Between two words of one address: one that goes and comes is one trouble."""


class Channel(Protocol):
    """An address that takes messages."""

    def send(self, title: str, body: str) -> None:
        """Deliver soon."""


@dataclass(slots=True)
class _Standing:
    called: str
    is_down: bool = False
    is_said: bool = False
    said_at: float | None = None


class Channels:
    """Knows which of them are down. Threads deliver: what happens here is short, and holds no lock while it sends."""

    def __init__(self, prefix: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._prefix = prefix
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Channel, _Standing] = {}

    def join(self, channel: Channel, kind: str) -> None:
        """One more address; ``kind`` is all that may be said of it: the rest of it may be secret."""
        with self._lock:
            self._known[channel] = _Standing(f"{len(self._known) + 1}{f' ({kind})' if kind else ''}")

    def went(self, channel: Channel, *, is_out: bool, missed: str = "") -> None:
        """An address took a message, or did not: the first time it is news for the others, and so is its end."""
        with self._lock:
            of = self._known.get(channel)
            if of is None or of.is_down is not is_out:
                return
            of.is_down = not is_out
            if not self._is_news(of):
                return
            others = [one for one, standing in self._known.items() if one is not channel and not standing.is_down]
            title, body = self._said(of, missed)
        for one in others:
            one.send(f"{self._prefix} · {title}", body)

    def _is_news(self, of: _Standing) -> bool:
        if not of.is_down:
            was, of.is_said = of.is_said, False
            return was
        now = self._clock()
        of.is_said = of.said_at is None or now - of.said_at >= QUIET_S
        of.said_at = now if of.is_said else of.said_at
        return of.is_said

    def _said(self, of: _Standing, missed: str) -> tuple[str, str]:
        whole = f"Alert address {of.called} of {len(self._known)}"
        if not of.is_down:
            return f"All clear: {whole[0].lower()}{whole[1:]} delivers again", "It took the last message."
        body = sentence(
            f"It did not take: {missed}",
            "Rescues do not wait for it, and you hear of everything here",
            "What you can do: look at that service and its token, then run `keeper doctor --send-test`",
        )
        return f"{whole} does not deliver", body
