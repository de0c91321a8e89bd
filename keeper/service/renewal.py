"""Other settings for an engine that runs: looked at and read once beside the blocks, taken up between two of them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from keeper.chain.errors import NodeError
from keeper.core.snapshot import Unreadable
from keeper.engine.ports import PriceMovements
from keeper.engine.state import State
from keeper.service.app import channels_of, measuring, reader_of, terms_of
from keeper.service.keys import acting
from keeper.service.opened import Opened
from keeper.service.safes_fit import refuse_unfit
from keeper.service.senders import around
from keeper.settings import Settings, SettingsError
from keeper.settings.difference import Differing, differences, where_of
from keeper.settings.pinned import pinned
from keeper.snapshot.discovery import AmbiguousNameError
from keeper.snapshot.order_events import VenueLogs
from keeper.snapshot.reader import Watch
from keeper.venues.ports import ReadFailedError


@dataclass(frozen=True, slots=True)
class Renewal:
    """Settings that can be taken up: nothing of them can fail any more."""

    settings: Settings
    changes: tuple[Differing, ...]
    reader: Watch
    movements: PriceMovements | None
    parts: AsyncExitStack
    """What was opened for them."""

    async def close(self) -> None:
        """Drop them unused."""
        await self.reader.close()
        await self.parts.aclose()


async def renewal(engine: Opened, old: Settings, new: Settings) -> Renewal:
    """Return the new settings, ready to be taken up: every position of theirs was read on the chain.

    Raises SettingsError with every reason against them, JournalError.
    """
    changes = differences(old.written, new.written)
    faults = [*pinned(changes), *_unready(engine, old, new)] or [f async for f in _unsettled(engine, old, new)]
    if faults:
        raise SettingsError([f"{new.path}: {fault}" for fault in faults])
    await refuse_unfit(new, engine.reader.blocks)
    reader = reader_of(
        new, engine.reader.blocks, engine.observer, in_full=new.exposure is not None or engine.chains is not None
    )
    try:
        await _read_once(reader, old, new)
        async with AsyncExitStack() as parts:
            movements = engine.movements
            if movements is None and new.looks_ahead:
                movements = await parts.enter_async_context(measuring(engine, new, waits=False))
            return Renewal(new, changes, reader, movements, parts.pop_all())
    except BaseException:
        await reader.close()
        raise


def followed(engine: Opened, old: Settings, new: Settings) -> frozenset[str]:
    """Return the positions that are to go and have a plan under way: who follows it reads them until it has ended."""
    gone = {p.name for p in old.positions} - {p.name for p in new.positions}
    return engine.state.in_flight.names() & gone


async def take_up(engine: Opened, old: Settings, found: Renewal) -> None:
    """Go on by other settings. To be called between two blocks; what is on its way is asked about by the new rules.

    All that can fail was done for the renewal: a defect in here ends the process, and its next start reads the file.
    """
    settings, before = found.settings, engine.reader
    engine.terms = terms_of(settings, is_live=engine.terms.mode == "live", is_look=False)
    engine.reader, engine.movements = found.reader, found.movements
    await engine.parts.enter_async_context(found.parts)
    engine.logs = VenueLogs(engine.reader.blocks, engine.reader.perp_account, engine.reader.chronicle)
    _forget(engine.state, settings, breaker_changed=old.breaker != settings.breaker)
    engine.perps.rules, engine.perps.books = settings.perp_rules, settings.books
    engine.perps.book_rules = settings.book_rules
    engine.senders = {account: around(one.lane, engine, settings) for account, one in engine.senders.items()}
    _redirect(engine, old, settings)
    await before.close()
    engine.reader.listen()


def _forget(state: State, settings: Settings, *, breaker_changed: bool) -> None:
    """Let go of all that was made by the old rules."""
    state.rules, state.armed, state.upkept, state.seen = settings.rules, {}, {}, None
    if breaker_changed:
        state.breaker = None


def _redirect(engine: Opened, old: Settings, new: Settings) -> None:
    """Send alarms to where the new settings say; what waits for the old addresses still goes there."""
    if old.written.own.get("alerts") != new.written.own.get("alerts"):
        alarm, escalation = channels_of(new.alerts)
        left = engine.observer.voice.redirect(alarm, escalation, new.alerts.repeat_s)
        for delivery in left:
            threading.Thread(target=delivery.close, name="alarms of before", daemon=True).start()


async def _read_once(reader: Watch, old: Settings, new: Settings) -> None:
    """Read all at the newest block: what cannot be found is the new file's fault, and said before that is used."""
    try:
        snapshot = await reader.snapshot(await reader.head())
    except AmbiguousNameError as error:
        raise SettingsError([f"{new.path}: {error}"]) from None
    except (NodeError, ReadFailedError) as error:
        raise SettingsError([f"{new.path}: positions could not be read, reload once they can be: {error}"]) from None
    known = {p.name for p in old.positions}
    unread = [p for p in snapshot.positions if isinstance(p, Unreadable) and p.name not in known]
    if unread:
        raise SettingsError([f"{new.path}: {where_of(('positions', p.name))}: {p.doubt.detail}" for p in unread])


async def _unsettled(engine: Opened, old: Settings, new: Settings) -> AsyncIterator[str]:
    """Yield what a plan of a position that is to go left pending: who takes it up again, reads the position."""
    gone = {p.name for p in old.positions} - {p.name for p in new.positions}
    if not gone:
        return
    for executor in engine.senders.values():
        for id_ in dict.fromkeys(row.decision_id for row in await executor.lane.leftovers()):
            decision = await engine.journal.decisions.get(id_)
            if decision is not None and decision.position in gone:
                where = where_of(("positions", decision.position))
                yield f"{where}: a transaction of it is not settled yet: take it out when that is mined or called off"


def _unready(engine: Opened, old: Settings, new: Settings) -> Iterator[str]:
    """Yield what this process cannot do for the new settings: keys it has not opened, plans it is in the middle of."""
    for name in sorted(followed(engine, old, new)):
        yield f"{where_of(('positions', name))}: a plan for it is under way: take it out when that has ended"
    if engine.terms.mode != "live":
        return
    opened = {executor.lane.signer.address for executor in engine.senders.values()}
    names = acting(new)
    for position in (p for p in new.positions if p.name in names):
        where = where_of(("positions", position.name))
        if position.signer is None:
            yield f"{where}: has rules that act but no signer"
        elif position.signer.address not in opened:
            yield f"{where}: the key of {position.signer.name!r} is not open here: restart the keeper"
        elif position.signer.safe is not None and position.signer.safe not in engine.terms.safes:
            yield f"{where}: its Safe is new here: restart the keeper"
