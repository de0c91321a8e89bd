"""What an owner has at every venue of a chain: found out once, for who has no settings yet."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.blocks import Blocks
from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import BlockRef, LendingPosition, Unreadable
from keeper.core.units import Address
from keeper.settings.model import Network, Position
from keeper.snapshot.reader import Watch
from keeper.venues.ports import ReadFailedError, VenueTable
from keeper.venues.registry import VENUES, find_owned


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
        owned = await blocks.discover(block, find_owned(network, table, owner))
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


def _is_empty(seen: LendingPosition | PerpPosition | Unreadable) -> bool:
    return not isinstance(seen, Unreadable) and seen.is_empty
