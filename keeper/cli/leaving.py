"""The end of the process, also where something in it does not end: nobody who asks it to leave is kept waiting."""

from __future__ import annotations

import os
import threading

WITHIN_S = 30.0
"""How long closing may take once no plan is under way and everything is written down."""
FAILED = 1
_owns_process = threading.Event()


def owns_process() -> None:
    """Say that this process is nobody else's: what is left of it may be ended."""
    _owns_process.set()


def begin() -> None:
    """End the process in a while, if it has not ended by then: a thread that waits for ever, a task that heeds nothing.

    To be called when nothing is left to be finished. A supervisor's SIGKILL would come later, and say nothing.
    """
    if _owns_process.is_set():
        timer = threading.Timer(WITHIN_S, _end)
        timer.daemon = True
        timer.start()


def _end() -> None:
    waiting = ", ".join(sorted(thread.name for thread in threading.enumerate() if thread.is_alive()))
    line = f"Something of the keeper did not end within {WITHIN_S:g} s of its stop; it leaves without it ({waiting}).\n"
    os.write(2, line.encode())
    os._exit(FAILED)
