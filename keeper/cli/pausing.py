"""``keeper pause`` and ``keeper resume``: written into the journal, where a running keeper looks before it acts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from math import ceil

from rich.console import Console

from keeper.cli.common import Exit, fail, finish, out
from keeper.cli.guard import guarded
from keeper.cli.words import as_json_text, time_text
from keeper.core.pauses import ABOUT, ALL, RULE, Pause, with_pause, without
from keeper.journal import orders
from keeper.journal.ports import History
from keeper.service.journal_file import remembered
from keeper.settings import Settings
from keeper.settings.fields import as_period

Pauses = tuple[Pause, ...]


def meant(
    settings: Settings, position: str | None, rule: str | None, name: str | None = None, *, everything: bool
) -> tuple[str, str]:
    """Return the kind and the name of what is meant; one of the four has to be given, and be in the settings."""
    if everything + sum(each is not None for each in (position, rule, name)) != 1:
        fail(Exit.BAD_SETTINGS, "name one: a position, book or rule by its name, --position, --rule, or --all")
    if everything:
        return ALL, ""
    if name is not None:
        return _by_name(settings, name)
    kind, of = (RULE, rule) if rule is not None else (ABOUT, position or "")
    known = settings.rule_names if kind == RULE else settings.subject_names
    if of not in known:
        fail(Exit.BAD_SETTINGS, f"{settings.path}: there is no {kind} {of!r}; known: {', '.join(known) or 'none'}")
    return kind, of


def _by_name(settings: Settings, name: str) -> tuple[str, str]:
    kinds = [kind for kind, known in ((ABOUT, settings.subject_names), (RULE, settings.rule_names)) if name in known]
    if len(kinds) == 2:
        fail(Exit.BAD_SETTINGS, f"{settings.path}: {name!r} is a position and a rule: say --position or --rule")
    if not kinds:
        known = ", ".join((*settings.subject_names, *settings.rule_names)) or "none"
        fail(Exit.BAD_SETTINGS, f"{settings.path}: there is no position, book or rule {name!r}; known: {known}")
    return kinds[0], name


def pause(settings: Settings, what: tuple[str, str], how_long: str | None, *, as_json: bool) -> None:
    """Pause it, and print every pause there is."""
    now = int(time.time())
    until = None if how_long is None else now + _seconds(how_long)
    _change(settings, lambda there: with_pause(there, Pause(*what, now, until)), now, as_json=as_json)


def resume(settings: Settings, what: tuple[str, str], *, as_json: bool) -> None:
    """End the pause, and print every one that is left."""
    _change(settings, lambda there: without(there, *what), int(time.time()), as_json=as_json)


async def paused(journal: History, settings: Settings) -> Pauses:
    """Return the pauses that are on. Raises JournalError."""
    return await orders.paused(journal.facts, settings.network.known_as, int(time.time()))


def show(console: Console, pauses: Pauses, *, as_json: bool) -> None:
    """Print them, a line each."""
    if as_json:
        as_json_text(console, [asdict(p) for p in pauses])
        return
    for one in pauses:
        ends = "until it is resumed" if one.until is None else f"until {time_text(one.until)} UTC"
        console.print(f"paused: {one.subject}, since {time_text(one.since)} UTC, {ends}. Alerts go on.", soft_wrap=True)


def _change(settings: Settings, change: Callable[[Pauses], Pauses], now: int, *, as_json: bool) -> None:
    async def work() -> Exit:
        async with await remembered(settings) as journal:
            pauses = await orders.change_pauses(journal.facts, settings.network.known_as, change, now)
        show(out(), pauses, as_json=as_json)
        if not pauses and not as_json:
            out().print("Nothing is paused.")
        return Exit.FINE

    finish(guarded(work))


def _seconds(text: str) -> int:
    try:
        return ceil(as_period(text))
    except ValueError as error:
        fail(Exit.BAD_SETTINGS, f"--for: {error}")
