"""What a lane has ready before it is needed: nonce and tip of a block at which nothing of ours was pending."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from keeper.chain import accounts
from keeper.chain.client import Upstream
from keeper.chain.fees import Fees, offer
from keeper.core.positions import BlockRef
from keeper.core.units import Wei
from keeper.execution.dispatch import Dispatch
from keeper.journal import Journal


@dataclass(frozen=True, slots=True)
class Ready:
    """The signer's next nonce after ``block``, and the usual tip. Good for one use.

    It can only be too low, never too high: a nonce that was used since makes nodes refuse the bytes, and what follows
    is the usual course of a nonce taken elsewhere.
    """

    block: BlockRef
    nonce: int
    tip: Wei
    tally: int
    """The journal's count when it was read: whatever is signed or settled since makes this worthless."""

    def serves(self, decided_at: BlockRef, tally: int) -> bool:
        """Tell whether it may be used for what was decided at a block: the same one, or its child."""
        return tally == self.tally and self.block.hash in (decided_at.hash, decided_at.parent_hash)


async def read_ready(dispatch: Dispatch, node: Upstream, journal: Journal, block: BlockRef) -> Ready | None:
    """Return what a send after ``block`` needs; None while anything of ours is open or a reorg's work is not done.

    Raises NodeError, JournalError.
    """
    tally, me = journal.tally, dispatch.signer.address
    if await dispatch.open_rows():
        return None
    highest = await journal.transactions.highest_nonce(block.chain_id, me)
    then, mined, tip = await asyncio.gather(
        accounts.nonce_at(node, me, block.hash), dispatch.mined_nonce(), accounts.tip(node)
    )
    # the same for everybody, and beyond all that the journal knows to have landed: else the usual way finds out why
    if then != mined or (highest is not None and then <= highest):
        return None
    return Ready(block, then, tip, tally)


def payable(base_fee: Wei, tip: Wei, ceiling: Wei | None, balance: Wei, gas: int) -> Fees | None:
    """Return an offer within the ceiling and the balance; None when there is none."""
    wanted = offer(base_fee, tip, ceiling)
    if wanted is not None and wanted.max_fee * gas > balance:
        return offer(base_fee, tip, Wei(balance // gas))
    return wanted
