"""What is mined, looked after until no reorg can take it away; and what was never seen, looked for once more."""

from __future__ import annotations

from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.execution.dispatch import SPENT_ELSEWHERE, Dispatch
from keeper.execution.traces import Foreign
from keeper.execution.tx_state import TxState
from keeper.journal import Transaction

LOOKS_A_HEAD = 16
"""Transactions of unknown fate that are looked for at each head."""


class Landed:
    """One signer's transactions that landed, or may have."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self.has_unconfirmed = True
        """Whether there may be something that a reorg can change still."""
        self._found: list[Transaction] = []
        self._has_disproved = False

    async def tend(self, head: BlockRef, confirmations: int, *, is_reorg: bool = False) -> tuple[str, ...]:
        """See to what is mined until a reorg can no longer take it away; return what a reorg took.

        Asks the node nothing when everything is confirmed, unless the head came on another history (``is_reorg``).
        Raises NodeError.
        """
        if not self.has_unconfirmed and not is_reorg:
            return ()
        mined = await self._dispatch.mined_nonce()
        reopened = await self._dispatch.reopen(mined)
        taken, rows = [row.attempts[-1].hash for row in reopened], await self._dispatch.unconfirmed()
        for row in rows:
            hash_ = row.attempts[-1].hash
            now, receipt = await self._dispatch.look(row)
            if receipt is None and TxState(now.state).has_landed:
                if row.nonce < mined:
                    # used still, so no reorg freed it: the receipt is late, or its node does not keep it
                    await self._dispatch.settle(now, TxState.UNSEEN, error=Reason.RECEIPT_MISSING.short)
                    continue
                await self._dispatch.settle(now, TxState.PENDING)
                await self._dispatch.broadcast(row)
                taken.append(hash_)
            elif receipt is None:
                continue  # an earlier intent landed in its place
            elif receipt.succeeded and head.number - receipt.block_number + 1 >= confirmations:
                await self._dispatch.settle(now, TxState.CONFIRMED, receipt=receipt)
        unseen = await self._look_for_the_unseen()
        fresh = await self._look_at_what_cost_nothing(head, confirmations, mined, is_reorg=is_reorg)
        self.has_unconfirmed = bool(rows or reopened or unseen or fresh or await self._dispatch.open_rows())
        return tuple(taken)

    async def _look_at_what_cost_nothing(
        self, head: BlockRef, confirmations: int, mined: int, *, is_reorg: bool
    ) -> int:
        """Look again at what reverted, and after a reorg at what another outran: on this history it may have landed.

        Returns how much of it a reorg may still change. Raises NodeError.
        """
        rows, fresh = await self._dispatch.costless(range(max(0, mined - LOOKS_A_HEAD), mined)), 0
        for row in rows:
            is_fresh = row.block_number is not None and head.number - row.block_number + 1 < confirmations
            fresh += is_fresh
            if not is_fresh and not is_reorg:
                continue
            now, receipt = await self._dispatch.look(row)
            if receipt is not None and receipt.succeeded:
                self._found.append(now)
        return fresh

    async def _look_for_the_unseen(self) -> int:
        """Look once more for what landed without a receipt; return how many are unseen still. Raises NodeError."""
        rows = (await self._dispatch.unseen())[-LOOKS_A_HEAD:]
        for row in rows:
            now, receipt = await self._dispatch.look(row)
            if receipt is not None:
                self._found.append(now)
            elif now.state == "unseen" and isinstance(found := await self._dispatch.trace(row), Foreign):
                await self._dispatch.settle(row, TxState.EXPIRED, error=f"{SPENT_ELSEWHERE} ({found.hash})")
                self._dispatch.nonces.trust(row.nonce + 1)
                self._has_disproved = True
        return len(await self._dispatch.unseen())

    def take_found(self) -> tuple[Transaction, ...]:
        """Return what was unseen and has landed after all, once."""
        found, self._found = tuple(self._found), []
        return found

    def take_disproved(self) -> bool:
        """Return whether something unseen was shown never to have landed, once."""
        has, self._has_disproved = self._has_disproved, False
        return has
