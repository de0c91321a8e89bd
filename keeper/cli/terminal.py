"""The terminal at which each transaction is asked about: one question at a time, and nobody is waited for for ever."""

from __future__ import annotations

import asyncio
import select
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from keeper.cli.common import Exit, fail

LOOK_S = 0.5
MOST_CHARACTERS = 300_000


class Tty:
    """Standard input and standard error, where a person sits before them."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "terminal")

    async def ask(self, text: str, within_s: float) -> str | None:
        """Show a text and return the line that was typed; None where none was in time."""
        async with self._turn:
            over = threading.Event()
            asked = asyncio.get_running_loop().run_in_executor(self._thread, _line, text, within_s, over)
            try:
                return await asyncio.shield(asked)
            finally:
                over.set()  # a question that nobody waits for any more takes no line of the next one
                await asyncio.wait([asked])


def at_terminal() -> Tty:
    """Return the terminal, or end where nobody sits."""
    if not sys.stdin.isatty():
        fail(Exit.BAD_SETTINGS, "--prompt asks at a terminal, and here is none: leave it out, or start it in one")
    return Tty()


def _line(text: str, within_s: float, over: threading.Event) -> str | None:
    while select.select([sys.stdin], [], [], 0)[0] and sys.stdin.readline():
        pass  # typed before the question: no answer to it
    sys.stderr.write(text)
    sys.stderr.flush()
    until = time.monotonic() + within_s
    while time.monotonic() < until and not over.is_set():
        if select.select([sys.stdin], [], [], LOOK_S)[0]:
            return sys.stdin.readline(MOST_CHARACTERS)
    if over.is_set():
        sys.stderr.write("\nNo answer is needed any more: something more urgent goes first.\n")
    return None
