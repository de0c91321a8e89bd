"""A program beside us that ends when we do, however we end: killed outright, we could not stop it any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

CANNOT_RUN = 126
"""The exit code of a program that could not be started, as a shell has it."""
_TIE = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(0)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.stderr.write(f"{sys.argv[2]}: {error.strerror}\\n")
    os._exit(126)
"""
"""prctl(PR_SET_PDEATHSIG): the kernel kills it when the thread that started it ends. It has effect beyond ``exec``.

Set in the new process, after the fork: ``preexec_fn`` may lock up a process that has threads. Costs 10 ms.
"""


def tethered(command: Sequence[str]) -> list[str]:
    """Return the command to start instead of ``command``: the same process, tied to us. Elsewhere than on Linux as is.

    Start it from a thread that lives as long as it is needed. Raises OSError when the program cannot be run.
    """
    program = command[0]
    if not sys.platform.startswith("linux"):
        return list(command)
    if not os.path.isfile(program):  # noqa: PTH113 - a word of a command line
        raise FileNotFoundError(2, "No such file", program)
    if not os.access(program, os.X_OK):
        raise PermissionError(13, "Permission denied", program)
    return [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *command]
