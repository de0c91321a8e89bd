"""What an owner has at every venue of a chain: found out once, for who has no settings yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keeper.chain.blocks import Blocks
from keeper.chain.errors import NodeAwayError
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, LendingPosition, Unreadable
from keeper.core.units import Address
from keeper.settings.model import Network, Position
from keeper.snapshot.reader import Watch
from keeper.venues.ports import Owned, ReadFailedError, VenueTable
from keeper.venues.registry import VENUES, find_owned, owned_by_logs

MOST_TURNS = 24
"""Turns that a venue's events may take: some fifteen million blocks where a node grants ten thousand at once."""


@dataclass(frozen=True, slots=True)
class Found:
    """A position and what was seen of it; unreadable is not the same as not there."""

    position: Position
    seen: LendingPosition | PerpPosition | Unreadable


async def census(blocks: Blocks, network: Network, owner: Address) -> tuple[BlockRef, tuple[Found, ...]]:
    """Return what an owner has at one block; accounts with nothing in them are left out. Raises NodeError."""
    block, found = await blocks.head(), list[Found]()
    for table in network.tables:
        if table.venue in VENUES:
            found += await _at(blocks, network, block, owner, table)
    return block, tuple(found)


async def _at(blocks: Blocks, network: Network, block: BlockRef, owner: Address, table: VenueTable) -> list[Found]:
    """Return what is at one venue: one that cannot be read is reported, and hides no other."""
    try:
        owned = await _owned(blocks, network, block, owner, table)
        positions = [Position(o.name, table.venue, owner, None, o.market, o.collateral, o.is_long) for o in owned]
        if not positions:
            return []
        watch = Watch(blocks, network, positions, ())
        try:
            snapshot = await watch.snapshot(block)
        finally:
            await watch.close()
    except ReadFailedError as error:
        whole = Position(table.name, table.venue, owner, None)
        return [Found(whole, Unreadable(whole.name, owner, error.doubt))]
    seen = {p.name: p for p in snapshot.positions}
    return [Found(p, seen[p.name]) for p in positions if not _is_empty(seen[p.name])]


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


def _is_empty(seen: LendingPosition | PerpPosition | Unreadable) -> bool:
    return not isinstance(seen, Unreadable) and seen.is_empty
