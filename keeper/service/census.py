"""What an owner has at every venue of a chain, and how its prices moved: for who has no settings yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from keeper.chain.blocks import Blocks
from keeper.chain.errors import NodeAwayError, NodeError
from keeper.core.family import Family
from keeper.core.lending.position import Beside
from keeper.core.lending.risk_metrics import volatility_of_health
from keeper.core.metrics import WHOLE
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.risk_metrics import volatility_of_margin
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.risk.market import Market
from keeper.core.risk.series import BadHistoryError
from keeper.core.risk.volatility import unknown
from keeper.core.snapshot import BlockRef, LendingPosition, Snapshot, Unreadable
from keeper.core.units import Address, Wad
from keeper.journal.errors import JournalError
from keeper.settings.model import Network, Position
from keeper.snapshot.movements import Movements
from keeper.snapshot.price_history import PriceHistory
from keeper.snapshot.reader import Watch
from keeper.venues.ports import Owned, ReadFailedError, VenueTable, priced_by
from keeper.venues.registry import VENUES, find_owned, owned_by_logs

MOST_TURNS = 24
"""Turns that a venue's events may take: some fifteen million blocks where a node grants ten thousand at once."""


MEASURED_WITHIN_S = 60.0
"""How long the prices of a venue's past may take to be read: without them bounds are fitted to the distance alone."""
Say = Callable[[str], None]
Seen = LendingPosition | PerpPosition | Unreadable


@dataclass(frozen=True, slots=True)
class Found:
    """A position and what was seen of it; unreadable is not the same as not there."""

    position: Position
    seen: Seen
    volatility: Wad | Doubt | None = None
    """How much what secures it moves in a year against what it owes; why that is not known; None without debt."""


@dataclass(frozen=True, slots=True)
class Census:
    """Where it is looked, and who hears how far it has come: a venue's events may take a minute."""

    blocks: Blocks
    network: Network
    history: PriceHistory
    say: Say = lambda _: None

    async def of(self, owner: Address) -> tuple[BlockRef, tuple[Found, ...]]:
        """Return what an owner has at one block; accounts with nothing in them are left out. Raises NodeError."""
        block, found = await self.blocks.head(), list[Found]()
        for table in self.network.tables:
            if table.venue in VENUES:
                self.say(f"looking at {table.name} …")
                found += await self._at(block, owner, table)
        return block, tuple(found)

    async def _at(self, block: BlockRef, owner: Address, table: VenueTable) -> list[Found]:
        """Return what is at one venue: one that cannot be read is reported, and hides no other."""
        try:
            owned = await _owned(self.blocks, self.network, block, owner, table)
            positions = [Position(o.name, table.venue, owner, None, o.market, o.collateral, o.is_long) for o in owned]
            if not positions:
                return []
            watch = Watch(self.blocks, self.network, positions, ())
            try:
                snapshot = await watch.snapshot(block)
                held = [p for p in positions if not _is_empty(_seen(snapshot, p))]
                moved = await self._moved(watch, snapshot) if held else None
            finally:
                await watch.close()
        except ReadFailedError as error:
            whole = Position(table.name, table.venue, owner, None)
            return [Found(whole, Unreadable(whole.name, owner, error.doubt))]
        return [Found(p, seen := _seen(snapshot, p), _volatility(p, seen, moved)) for p in held]

    async def _moved(self, watch: Watch, snapshot: Snapshot) -> Market | Doubt:
        """Return how prices moved that what is there hangs on, or why that is not known: no reason to find nothing."""
        self.say("  how its prices moved …")
        feeds = priced_by(watch.known.used, snapshot.perps)
        movements = Movements(self.history, _unheard, _unheard)
        try:
            async with asyncio.timeout(MEASURED_WITHIN_S):
                return await movements.measured(snapshot.block, feeds)
        except TimeoutError:
            return unknown(f"the past of its prices was not read within {MEASURED_WITHIN_S:.0f} s")
        except (NodeError, ReadFailedError, JournalError, BadHistoryError) as error:
            return unknown(f"the past of its prices could not be read: {error}")
        finally:
            await movements.close()


def _seen(snapshot: Snapshot, position: Position) -> Seen:
    return next(p for p in snapshot.positions if p.name == position.name)


def _volatility(of: Position, seen: Seen, moved: Market | Doubt | None) -> Wad | Doubt | None:
    """Return how much what secures a position moves against what it owes, in a year."""
    if isinstance(seen, Unreadable) or moved is None or isinstance(moved, Doubt):
        return moved if isinstance(moved, Doubt) else None
    found = MOVES[of.family](seen, moved)
    return Wad(found) if isinstance(found, int) else found


def _of_loan(seen: Any, moved: Market) -> int | Doubt | None:
    return volatility_of_health(replace(seen, beside=Beside({}, {}, moved)), WHOLE)


def _of_perp(seen: Any, moved: Market) -> int | Doubt | None:
    return volatility_of_margin(replace(seen, market=moved), WHOLE)


MOVES: Mapping[Family, Callable[[Any, Market], int | Doubt | None]] = {Family.LENDING: _of_loan, Family.PERP: _of_perp}


def _unheard(*_: str) -> None:
    """What a look once has to say of a history is said of each position."""


async def _owned(
    blocks: Blocks, network: Network, block: BlockRef, owner: Address, table: VenueTable
) -> tuple[Owned, ...]:
    """Return what an owner has at a venue, as settings would name it. Raises NodeError, ReadFailedError."""
    by_logs = owned_by_logs(table, owner)
    if by_logs is None:
        return await blocks.discover(block, find_owned(network, table, owner))
    logs = list[dict[str, Any]]()
    for asked in by_logs.asked:
        logs += await _all_logs(blocks, by_logs.since, block, asked, table)
    return by_logs.found(logs)


async def _all_logs(
    blocks: Blocks, since: int, block: BlockRef, asked: dict[str, Any], table: VenueTable
) -> list[dict[str, Any]]:
    """Return logs of a long range, over as many turns as it takes. Raises ReadFailedError after ``MOST_TURNS``."""
    for turn in range(MOST_TURNS):
        try:
            return await blocks.pages.all(since, block.number, asked)
        except NodeAwayError as error:
            if turn + 1 == MOST_TURNS:
                what = f"the events of {table.name} could not be read to the end ({error}); write its `market` yourself"
                raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, what)) from None
    return []


def _is_empty(seen: Seen) -> bool:
    return not isinstance(seen, Unreadable) and seen.is_empty
