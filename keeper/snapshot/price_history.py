"""What feeds said before now: their rounds are walked back from the newest, kept, and gaps filled after a restart.

What is kept is whole: between the oldest and the newest round none is missing, for all that a walk finds is written at
once. It ends at a round that is kept already and says the same; what a reorg took back is put right by the next walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from keeper.core.block import BlockRef
from keeper.core.risk.series import Series, series
from keeper.core.units import DAY_S, Address
from keeper.journal.prices import PriceRound
from keeper.venues.feeds.past_rounds import PastRound, newest, walk_back
from keeper.venues.ports import Discovery

T = TypeVar("T")
BEFORE_S = 3 * DAY_S
"""How much further back the one round is looked for that held when a window began."""


class Discoverer(Protocol):
    """What a history needs of the chain."""

    async def discover(self, block: BlockRef, discovery: Discovery[T]) -> T:
        """Run reads in rounds, all at one block. Raises NodeError."""


class RoundStore(Protocol):
    """Where rounds are kept."""

    async def since(self, chain_id: int, feed: str, at: int) -> tuple[PriceRound, ...]:
        """Return what a feed said from a time on. Raises JournalError."""

    async def replace(self, chain_id: int, feed: str, begin: int, rounds: Sequence[PriceRound]) -> None:
        """Put rounds in the place of all that was kept from a time on. Raises JournalError."""


class PriceHistory:
    """The histories of one chain's feeds."""

    def __init__(self, blocks: Discoverer, store: RoundStore) -> None:
        self._blocks, self._store = blocks, store

    async def of(self, block: BlockRef, feed: Address, since: int) -> Series:
        """Return what a feed said up to a block, from the round on that held at ``since``; empty where it has none.

        Raises NodeError, ReadFailedError, JournalError.
        """
        first = await self._blocks.discover(block, newest(feed))
        if first is None:
            return Series(())
        kept = [_past(r) for r in await self._store.since(block.chain_id, feed, since - BEFORE_S)]
        known = {r.round_id: r for r in kept}
        late = [] if known.get(first.round_id) == first else [first]
        if late:
            late += await self._blocks.discover(block, walk_back(feed, first, since, known))
        joint = late[-1] if late else first
        is_joined = known.get(joint.round_id) == joint
        older = [r for r in reversed(kept) if r.updated_at < joint.updated_at] if is_joined else []
        found, early = [*(late or [first]), *older], list[PastRound]()
        if found[-1].updated_at >= since:
            early += await self._blocks.discover(block, walk_back(feed, found[-1], since, {}))
        if late or early or kept[-1] != first:
            begin = joint.updated_at if is_joined and not early else (early or found)[-1].updated_at
            await self._keep(block, feed, begin, [*found, *early])
        return series((r.updated_at, r.answer) for r in reversed([*found, *early])).since(since)

    async def _keep(self, block: BlockRef, feed: Address, begin: int, found: Sequence[PastRound]) -> None:
        rounds = [PriceRound(r.updated_at, r.round_id, r.answer) for r in reversed(found) if r.updated_at >= begin]
        await self._store.replace(block.chain_id, feed, begin, rounds)


def _past(of: PriceRound) -> PastRound:
    return PastRound(of.updated_at, of.round_id, of.answer)
