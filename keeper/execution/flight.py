"""Transactions of one burst on their way: followed together until the last is mined, cancelled or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeError
from keeper.chain.fees import Fees, replacement
from keeper.core.reasons import Reason
from keeper.core.units import Wei
from keeper.execution.dispatch import SPENT_ELSEWHERE, Dispatch, Outgoing, fees_of
from keeper.execution.redecision import Change, Drop, Keep
from keeper.execution.send_state import Move, SendState, Timings
from keeper.execution.tx_state import TxState
from keeper.journal import Transaction
from keeper.venues.ports import Call

Reconsider = Callable[[bool], Awaitable[Keep | Drop | Change]]
"""Asks what would be decided now; told whether a transaction of the burst is mined already."""
Market = Callable[[Wei | None], Awaitable[Fees | None]]
"""What the fee market asks for now, within a ceiling."""
CANCEL_GAS = 60_000
"""A self-transfer, also where the account has delegated its code."""


class SendFailedError(Exception):
    """A burst did not do what it was sent for. Nothing after it in the plan was sent."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.short}: {detail}")
        self.reason = reason
        self.detail = detail


class PlanChangedError(Exception):
    """The burst is still pending, but another plan would be right now: replace it at the same nonces."""

    def __init__(self, pending: tuple[Transaction, ...]) -> None:
        super().__init__(f"{len(pending)} pending transactions belong to a plan that is no longer right")
        self.pending = pending


@dataclass(frozen=True, slots=True)
class Guidance:
    """What a flight may do on its own: how much to offer, and whom to ask before offering more."""

    ceiling: Wei | None
    cancel_ceiling: Wei | None
    reconsider: Reconsider | None = None


class Flight:
    """Follows rows at consecutive nonces."""

    def __init__(
        self,
        dispatch: Dispatch,
        market: Market,
        timings: Timings,
        poll_s: float,
        clock: Callable[[], float],
        wishes: Callable[[tuple[Transaction, ...]], Awaitable[dict[int, str]]],
    ) -> None:
        self._dispatch = dispatch
        self._market = market
        self._timings = timings
        self._poll_s = poll_s
        self._clock = clock
        self._wishes = wishes
        self._used_since: dict[int, float] = {}

    async def follow(self, rows: tuple[Transaction, ...], guidance: Guidance) -> tuple[Receipt, ...]:
        """Return the receipts, by nonce, once every row is mined with success.

        All are followed to their end before the first that did not succeed raises SendFailedError. Raises
        PlanChangedError with what is pending when the plan should be another; SendFailedError (NOT_MINED) when
        something is still pending after the time for it, (NO_LONGER_NEEDED) after a cancellation.
        """
        receipts: dict[int, Receipt] = {}
        dropped: Reason | None = None
        state = SendState.begun(fees_of(rows[0]), self._clock())
        while True:
            rows = await self._look(rows, receipts)
            pending = tuple(r for r in rows if TxState(r.state).is_open)
            if not pending:
                return self._landed(rows, receipts, dropped)
            rows, state, cancelled = await self._grant_wishes(rows, pending, state, guidance)
            dropped = dropped or (Reason.CANCELLED if cancelled else None)
            now = self._clock()
            match state.next_move(now, self._timings):
                case Move.WAIT:
                    await asyncio.sleep(self._poll_s)
                case Move.REBROADCAST:
                    for row in pending:
                        await self._dispatch.broadcast(row)
                    state = state.said(now)
                case Move.BUMP:
                    asked = await self._ask(guidance, has_begun=bool(receipts), is_dropped=dropped is not None)
                    if isinstance(asked, Change):
                        raise PlanChangedError(pending)
                    if isinstance(asked, Drop):
                        dropped = Reason.NO_LONGER_NEEDED
                        rows, state = await self._cancel(rows, pending, state, guidance)
                    else:
                        rows, state = await self._raise(rows, pending, state, asked.ceiling)
                case Move.GIVE_UP:
                    first = pending[0]
                    raise SendFailedError(Reason.NOT_MINED, f"{first.purpose}, nonce {first.nonce}: still pending")

    # --- looking -----------------------------------------------------------------------------------------------------

    async def _look(self, rows: tuple[Transaction, ...], receipts: dict[int, Receipt]) -> tuple[Transaction, ...]:
        """Settle what is mined. A node that does not answer has not said that something is not."""
        try:
            mined = await self._dispatch.mined_nonce()
            return tuple([await self._seen(r, mined, receipts) if TxState(r.state).is_open else r for r in rows])
        except NodeError:
            return rows

    async def _seen(self, row: Transaction, mined: int, receipts: dict[int, Receipt]) -> Transaction:
        if row.nonce >= mined:
            self._used_since.pop(row.nonce, None)
            return row
        seen, receipt = await self._dispatch.look(row)
        if receipt:
            receipts[row.nonce] = receipt
        elif TxState(seen.state).is_open:
            # the receipt may lag behind the nonce: another program is blamed only after a while without one
            since = self._used_since.setdefault(row.nonce, self._clock())
            if self._clock() - since >= self._timings.receipt_lag_s:
                await self._dispatch.settle(seen, TxState.EXPIRED, error=SPENT_ELSEWHERE)
                raise SendFailedError(Reason.NONCE_TAKEN, f"{row.purpose}, nonce {row.nonce}")
        return seen

    def _landed(
        self, rows: tuple[Transaction, ...], receipts: dict[int, Receipt], dropped: Reason | None
    ) -> tuple[Receipt, ...]:
        """Return the receipts, or raise what went wrong with the first that did not succeed."""
        if dropped:
            raise SendFailedError(dropped, f"{rows[0].purpose}, nonce {rows[0].nonce}")
        for row in rows:
            receipt = receipts.get(row.nonce)
            if receipt is None:
                raise SendFailedError(Reason.SUPERSEDED, f"{row.purpose}, nonce {row.nonce}: {row.error}")
            if not receipt.succeeded:
                raise SendFailedError(Reason.REVERTED, f"{row.purpose} ({receipt.hash})")
        return tuple(receipts[row.nonce] for row in rows)

    # --- changing ----------------------------------------------------------------------------------------------------

    async def _ask(self, guidance: Guidance, *, has_begun: bool, is_dropped: bool) -> Keep | Drop | Change:
        if is_dropped:
            return Keep(guidance.cancel_ceiling)
        if guidance.reconsider is None:
            return Keep(guidance.ceiling)
        try:
            return await guidance.reconsider(has_begun)
        except NodeError:
            return Keep(guidance.ceiling)

    async def _raise(
        self, rows: tuple[Transaction, ...], pending: tuple[Transaction, ...], state: SendState, ceiling: Wei | None
    ) -> tuple[tuple[Transaction, ...], SendState]:
        """Offer more for all that is pending; say it again unchanged where the ceiling forbids more."""
        now, fees = self._clock(), await self._higher(state.fees, ceiling)
        if fees is None:
            for row in pending:
                await self._dispatch.broadcast(row)
            return rows, state.capped(now)
        raised = {row.id: await self._dispatch.bid_more(row, fees) for row in pending}
        return tuple(raised.get(row.id, row) for row in rows), state.bumped(fees, now)

    async def _cancel(
        self, rows: tuple[Transaction, ...], pending: tuple[Transaction, ...], state: SendState, guidance: Guidance
    ) -> tuple[tuple[Transaction, ...], SendState]:
        """Replace all that is pending by transfers of nothing to oneself at the same nonces."""
        now, fees = self._clock(), await self._higher(state.fees, guidance.cancel_ceiling)
        if fees is None:
            return rows, state.capped(now)
        replaced = {row.id: await self._dispatch.sign(self._nothing(row), row.nonce, fees, row) for row in pending}
        for row in replaced.values():
            await self._dispatch.broadcast(row)
        return tuple(replaced.get(row.id, row) for row in rows), state.bumped(fees, now)

    async def _higher(self, old: Fees, ceiling: Wei | None) -> Fees | None:
        try:
            fresh = await self._market(ceiling)
        except NodeError:
            return None
        return replacement(old, fresh, ceiling) if fresh else None

    def _nothing(self, row: Transaction) -> Outgoing:
        call = Call(self._dispatch.signer.address, b"", Wei(0), f"cancel: {row.purpose}")
        return Outgoing(call, row.decision_id, row.step, 0, CANCEL_GAS)

    async def _grant_wishes(
        self, rows: tuple[Transaction, ...], pending: tuple[Transaction, ...], state: SendState, guidance: Guidance
    ) -> tuple[tuple[Transaction, ...], SendState, bool]:
        """Do what the owner asked for by hand: the whole burst is sped up or cancelled, its parts need one another."""
        wishes = await self._wishes(pending)
        if not wishes:
            return rows, state, False
        if "cancel" in wishes.values():
            return *(await self._cancel(rows, pending, state, guidance)), True
        return *(await self._raise(rows, pending, state, guidance.cancel_ceiling)), False
