"""Settings read anew while a keeper runs, on SIGHUP or ``keeper reload``: all of every file, or nothing.

They are looked at beside the blocks and taken up between two of them. ``keeper reload`` leaves its wish in the journal,
where it finds the answer: it need not be where the keeper runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from keeper.journal import JournalError
from keeper.journal.ports import History
from keeper.observe.reload_voice import say_refused, say_reloaded
from keeper.service.daemon import Daemon
from keeper.service.names import as_remembered
from keeper.service.renewal import Renewal, renewal
from keeper.settings import Settings, SettingsError, futile, load, shared

LOOK_S = 1.0
"""How often a running keeper looks for a wish."""


Renewed = Callable[[int, Settings], None]
"""Called with the number of a chain and the settings that it is kept by from now on."""


@dataclass(frozen=True, slots=True)
class ReloadAnswer:
    """What came of a wish to read the settings anew."""

    wish: str
    mode: str
    at: int
    is_done: bool
    lines: tuple[str, ...]
    """What differs; or what speaks against it."""


class Reloading:
    """Reads the settings of all chains of one process anew."""

    def __init__(self, daemons: Sequence[Daemon], renewed: Renewed = lambda _, __: None) -> None:
        self._daemons = daemons
        self._renewed = renewed
        self._task: asyncio.Task[None] | None = None
        self._is_wanted = False
        self._known = dict[int, str]()
        """The newest wish that was seen of each daemon's journal."""

    def ask(self) -> None:
        """Read them anew, and once more where they are being read: the file may have changed since."""
        self._is_wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._reload_all())

    async def listen(self) -> None:
        """Look for wishes, for ever. Those of before the start are fulfilled: it read the file."""
        for i in range(len(self._daemons)):
            self._known[i] = await self._wish(i)
        while True:
            await asyncio.sleep(LOOK_S)
            found = {i: await self._wish(i) for i in range(len(self._daemons))}
            if any(wish and wish != self._known[i] for i, wish in found.items()):
                self._known |= {i: wish for i, wish in found.items() if wish}
                self.ask()

    async def close(self) -> None:
        """Stop: what is not taken up yet never is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _wish(self, i: int) -> str:
        daemon = self._daemons[i]
        with contextlib.suppress(JournalError):  # reported where it matters
            found = await daemon.engine.journal.facts.get(_wish_key(daemon.settings))
            return found if isinstance(found, str) else ""
        return self._known.get(i, "")

    async def _reload_all(self) -> None:
        while self._is_wanted:
            self._is_wanted = False
            await self._reload()

    async def _reload(self) -> None:
        ready = list[Renewal]()
        try:
            for daemon, settings in zip(self._daemons, await self._read(), strict=True):
                ready.append(await renewal(daemon.engine, daemon.settings, settings))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, the keeper goes on by the old one
            for found in ready:
                await found.close()
            faults = error.faults if isinstance(error, SettingsError) else [f"{type(error).__name__}: {error}"]
            await self._refused(faults)
            return
        for i, (daemon, found) in enumerate(zip(self._daemons, ready, strict=True)):
            if not await daemon.renew(found):
                await found.close()  # it is to end
                continue
            self._renewed(i, found.settings)
            lines = [str(change) for change in found.changes]
            say_reloaded(daemon.engine.observer.voice, lines)
            await self._answer(i, lines, is_done=True)

    async def _read(self) -> list[Settings]:
        """Return what the files say now. Raises SettingsError with every fault of any."""
        found, faults = list[Settings](), list[str]()
        for daemon in self._daemons:
            try:
                found.append(await as_remembered(await asyncio.to_thread(load, daemon.settings.path)))
            except SettingsError as error:
                faults += error.faults
        faults += [
            f"{s.path}: {n.field}: {n.name} is new: restart the keeper" for s in found for n in s.names if not n.address
        ]
        if not faults:
            faults = shared(found) + [
                line for one, new in zip(self._daemons, found, strict=True) for line in _worse(one.settings, new)
            ]
        if faults:
            raise SettingsError(faults)
        return found

    async def _refused(self, faults: Sequence[str]) -> None:
        for i, daemon in enumerate(self._daemons):
            say_refused(daemon.engine.observer.voice, faults)
            await self._answer(i, faults, is_done=False)

    async def _answer(self, i: int, lines: Sequence[str], *, is_done: bool) -> None:
        daemon = self._daemons[i]
        answer = ReloadAnswer(self._known.get(i, ""), daemon.engine.terms.mode, int(time.time()), is_done, tuple(lines))
        with contextlib.suppress(JournalError):  # it is in the log and in the alarm
            await daemon.engine.journal.facts.set(_answer_key(daemon.settings), asdict(answer))


def _worse(old: Settings, new: Settings) -> list[str]:
    """Return what can never work of new settings, but for what could not before either: its owner was warned."""
    known = set(futile(old))
    return [line for line in futile(new) if line not in known]


# --- for who asks ----------------------------------------------------------------------------------------------------


async def wish(journal: History, settings: Settings, name: str) -> None:
    """Ask a running keeper to read its settings anew. Raises JournalError."""
    await journal.facts.set(_wish_key(settings), name)


async def answer(journal: History, settings: Settings, name: str) -> ReloadAnswer | None:
    """Return what came of a wish; None while nothing did. Raises JournalError."""
    found: Any = await journal.facts.get(_answer_key(settings))
    if not isinstance(found, dict) or found.get("wish") != name:
        return None
    return ReloadAnswer(**found | {"lines": tuple(found["lines"])})


def _wish_key(settings: Settings) -> str:
    return f"reload:{settings.network.chain_id}:{settings.network.name}"


def _answer_key(settings: Settings) -> str:
    return f"reloaded:{settings.network.chain_id}:{settings.network.name}"
