"""What a lane has ready before it is needed: nonce and fee market of a block at which nothing of ours was pending."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from keeper.chain.fee_market import FeeMarket
from keeper.core.snapshot import BlockRef
from keeper.execution.dispatch import Dispatch
from keeper.execution.pricing import Pricing
from keeper.journal import Journal


@dataclass(frozen=True, slots=True)
class Ready:
    """The signer's next nonce after ``block``, and the fee market there. Good for one use.

    It can only be too low, never too high: a nonce that was used since makes nodes refuse the bytes, and what follows
    is the usual course of a nonce taken elsewhere.
    """

    block: BlockRef
    nonce: int
    market: FeeMarket
    tally: int
    """The journal's count when it was read: whatever is signed or settled since makes this worthless."""

    def serves(self, decided_at: BlockRef, tally: int) -> bool:
        """Return whether it may be used for what was decided at a block: the same one, or its child."""
        return tally == self.tally and self.block.hash in (decided_at.hash, decided_at.parent_hash)


async def read_ready(dispatch: Dispatch, pricing: Pricing, journal: Journal, block: BlockRef) -> Ready | None:
    """Return what a send after ``block`` needs; None while anything of ours is open or a reorg's work is not done.

    Raises NodeError, JournalError.
    """
    tally, me = journal.tally, dispatch.signer.address
    if await dispatch.open_rows():
        return None
    highest = await journal.transactions.highest_nonce(block.chain_id, me)
    then, mined, market = await asyncio.gather(
        dispatch.nonces.at(block.hash), dispatch.nonces.mined(), pricing.market(block)
    )
    if mined.is_doubtful:
        mined = then = await dispatch.nonces.prove(mined)
    # the same for everybody, and beyond all that the journal knows to have landed: else the usual way finds out why
    if mined.is_doubtful or then.number != mined.number or (highest is not None and then.number <= highest):
        return None
    return Ready(block, then.number, market, tally)
