"""The guard round what a command does: what may go wrong becomes one clear line and a code.

Defects keep their traceback.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from keeper.cli.common import Exit, fail, prompt
from keeper.settings.faults import in_one_line

if TYPE_CHECKING:
    from keeper.execution.prompted import Terminal
    from keeper.service.opened import Opened
    from keeper.settings import Settings


def in_house(
    settings: Settings,
    work: Callable[[Opened], Awaitable[Exit]],
    *,
    is_live: bool,
    is_look: bool = False,
    terminal: Terminal | None = None,
) -> Exit:
    """Build the engine, do the work in it, take it down."""
    from keeper.service import app  # noqa: PLC0415 - for those that need an engine

    async def inside() -> Exit:
        async with app.opened(
            settings, is_live=is_live, is_look=is_look, prompt=prompt(), terminal=terminal, in_full=True
        ) as engine:
            return await work(engine)

    return guarded(inside)


def guarded(work: Callable[[], Awaitable[Exit]]) -> Exit:
    """Run to the end, and turn what may go wrong into one clear line and a code."""

    async def awaited() -> Exit:
        return await work()

    try:
        return asyncio.run(awaited())
    except KeyboardInterrupt:
        fail(Exit.FAILED, "interrupted")
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(int(Exit.FAILED)) from None
    except typer.Exit:
        raise
    except Exception as error:
        code = code_of(error)
        if code is None:
            raise
        fail(code, "\n".join(in_one_line(line) for line in str(error).splitlines()))


def code_of(error: Exception) -> Exit | None:
    """Return how a command ends for what went wrong; None for a defect. Exit 2 is what no restart can heal."""
    from keeper.chain.errors import NodeError, WrongChainError  # noqa: PLC0415 - only when something went wrong
    from keeper.chain.fork import AnvilMissingError  # noqa: PLC0415
    from keeper.execution.course import SendFailedError  # noqa: PLC0415
    from keeper.execution.lock import LockDirectoryError, SignerLockedError  # noqa: PLC0415
    from keeper.execution.signer import KeyUnavailableError  # noqa: PLC0415
    from keeper.journal import JournalError  # noqa: PLC0415
    from keeper.service.names import NameNotLookedUpError  # noqa: PLC0415
    from keeper.settings import SettingsError  # noqa: PLC0415
    from keeper.snapshot.discovery import AmbiguousNameError  # noqa: PLC0415
    from keeper.venues.ports import ReadFailedError  # noqa: PLC0415

    wrong = (SettingsError, KeyUnavailableError, WrongChainError, AmbiguousNameError)
    if isinstance(error, (*wrong, SignerLockedError, LockDirectoryError)):
        return Exit.BAD_SETTINGS
    passing = (NodeError, ReadFailedError, JournalError, SendFailedError, AnvilMissingError, NameNotLookedUpError)
    return Exit.FAILED if isinstance(error, passing) else None
