"""One nonce lane per chain and signer: signed bytes are journaled, then sent, then followed until they are mined."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keeper.chain import accounts, fees
from keeper.chain.accounts import Receipt
from keeper.chain.blocks import Blocks
from keeper.chain.client import Node
from keeper.chain.errors import NodeError
from keeper.chain.fees import Fees
from keeper.core.reasons import Reason
from keeper.core.units import Address, Wei
from keeper.execution.send_state import Move, SendState, Timings
from keeper.execution.signer import Envelope, KeystoreSigner
from keeper.journal import Journal, NewAttempt, NewTransaction, Transaction
from keeper.venues.ports import Call

SPENT_ELSEWHERE = "the nonce was used by a transaction of another program"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A call about to be signed: the step it is, the dollars the limits count, the gas the rehearsal used."""

    call: Call
    decision_id: int
    step: int
    spend_usd: int
    gas_limit: int


class SendFailedError(Exception):
    """A transaction did not do what it was sent for. Nothing after it in the plan was sent."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.short}: {detail}")
        self.reason = reason
        self.detail = detail


class Lane:
    """The only way a transaction of this signer leaves the program. Used by one task at a time."""

    def __init__(
        self,
        node: Node,
        blocks: Blocks,
        journal: Journal,
        signer: KeystoreSigner,
        timings: Timings,
        poll_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.signer = signer
        self._node = node
        self._blocks = blocks
        self._journal = journal
        self._timings = timings
        self._poll_s = poll_s
        self._clock = clock

    async def reconcile(self) -> tuple[Transaction, ...]:
        """Settle what an earlier run left signed or pending; return it. Call before anything new is decided.

        What reverted is settled as that. Raises SendFailedError when something is still not mined in time.
        """
        left = await self._journal.transactions.unfinished(self._blocks.chain_id, self.signer.address)
        for transaction in left:
            await self._follow(transaction)
        return left

    async def send(self, outgoing: Sequence[Outgoing], ceiling: Wei | None) -> list[Receipt]:
        """Sign, journal and send transactions with consecutive nonces, and return their receipts.

        All are followed to their end before the first that did not succeed raises SendFailedError.
        """
        await self.reconcile()
        nonce = await accounts.nonce(self._node, self.signer.address, pending=False)
        offer = await self._offer(ceiling, sum(o.gas_limit for o in outgoing))
        sent = [await self._launch(o, nonce + i, offer) for i, o in enumerate(outgoing)]
        receipts = [await self._follow(transaction, ceiling) for transaction in sent]
        for transaction, receipt in zip(sent, receipts, strict=True):
            if receipt is None:
                raise SendFailedError(Reason.SENDING_FAILED, f"{transaction.purpose}: {SPENT_ELSEWHERE}")
            if not receipt.succeeded:
                raise SendFailedError(Reason.REVERTED, f"{transaction.purpose} ({receipt.hash})")
        return [r for r in receipts if r]

    # --- one transaction ---------------------------------------------------------------------------------------------

    async def _launch(self, outgoing: Outgoing, nonce: int, offer: Fees) -> Transaction:
        """Write the signed bytes down, then hand them to the node."""
        chain_id, journal = self._blocks.chain_id, self._journal.transactions
        envelope = Envelope(chain_id, nonce, outgoing.gas_limit, offer)
        signed = self.signer.sign(outgoing.call, envelope)
        row = NewTransaction(
            decision_id=outgoing.decision_id,
            step=outgoing.step,
            chain_id=chain_id,
            signer=self.signer.address,
            nonce=nonce,
            to=outgoing.call.to,
            value=outgoing.call.value,
            data="0x" + outgoing.call.data.hex(),
            purpose=outgoing.call.purpose,
            spend_usd=outgoing.spend_usd,
            gas_limit=outgoing.gas_limit,
        )
        await journal.add_signed(row, _attempt(signed.hash, signed.raw, offer))
        await self._broadcast(signed.hash, signed.raw)
        (written,) = [
            t for t in await journal.at_nonce(chain_id, self.signer.address, nonce) if t.decision_id == row.decision_id
        ]
        return written

    async def _broadcast(self, hash_: str, raw: str) -> None:
        """Hand bytes to the node. A refusal is noted, not raised: they are journaled and will be said again."""
        try:
            await accounts.send(self._node, raw)
        except NodeError as error:
            await self._journal.transactions.mark_refused(hash_, error.detail)
        else:
            await self._journal.transactions.mark_broadcast(hash_)

    async def _follow(self, transaction: Transaction, ceiling: Wei | None = None) -> Receipt | None:
        """Stay with a transaction until it is mined, and settle it. None when its nonce was used elsewhere.

        Raises SendFailedError when it is still pending after the time for it.
        """
        newest = transaction.attempts[-1]
        attempts = {a.hash: a.raw for a in transaction.attempts}
        state = SendState.begun(Fees(Wei(newest.max_fee_per_gas), Wei(newest.max_priority_fee_per_gas)), self._clock())
        used_since: float | None = None
        if newest.broadcast_at is None:
            await self._broadcast(newest.hash, newest.raw)
        while True:
            found = await self._receipt(tuple(attempts))
            if found:
                await self._settle(transaction, found)
                return found
            if await self._is_nonce_used(transaction):
                # the receipt may lag behind the nonce: another program is blamed only after a while without one
                used_since = used_since or self._clock()
                if self._clock() - used_since >= self._timings.receipt_lag_s:
                    await self._settle(transaction, None)
                    return None
                await asyncio.sleep(self._poll_s)
                continue
            used_since = None
            now = self._clock()
            match state.next_move(now, self._timings):
                case Move.WAIT:
                    await asyncio.sleep(self._poll_s)
                case Move.REBROADCAST:
                    await self._broadcast(*list(attempts.items())[-1])
                    state = state.said(now)
                case Move.BUMP:
                    raised = await self._bump(transaction, state.fees, ceiling)
                    state = state.capped(now) if raised is None else state.bumped(raised[0], now)
                    attempts |= raised[1] if raised else {}
                case Move.GIVE_UP:
                    detail = f"{transaction.purpose}, nonce {transaction.nonce}: not mined, still pending"
                    raise SendFailedError(Reason.NOT_MINED, detail)

    async def _receipt(self, hashes: Sequence[str]) -> Receipt | None:
        """Return the receipt of whichever attempt was mined. A node that does not answer has not said no."""
        try:
            found = [await accounts.receipt(self._node, hash_) for hash_ in hashes]
        except NodeError:
            return None
        return next((r for r in found if r), None)

    async def _is_nonce_used(self, transaction: Transaction) -> bool:
        """Tell whether the chain has mined something at this nonce. A node that does not answer has not said so."""
        try:
            return await accounts.nonce(self._node, self.signer.address, pending=False) > transaction.nonce
        except NodeError:
            return False

    async def _settle(self, transaction: Transaction, receipt: Receipt | None) -> None:
        """Write down where a transaction ended; without a receipt its nonce was spent by another program."""
        settle = self._journal.transactions.settle
        if receipt is None:
            await settle(transaction.id, "expired", error=SPENT_ELSEWHERE)
            return
        await settle(
            transaction.id,
            "mined" if receipt.succeeded else "reverted",
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
            gas_used=receipt.gas_used,
            effective_gas_price=receipt.gas_price,
            error=None if receipt.succeeded else "status 0",
        )

    async def _bump(
        self, transaction: Transaction, old: Fees, ceiling: Wei | None
    ) -> tuple[Fees, dict[str, str]] | None:
        """Sign the same call at the same nonce with a higher offer; None when the ceiling forbids it."""
        try:
            fresh = await self._market(ceiling)
        except NodeError:
            return None
        raised = fees.replacement(old, fresh, ceiling) if fresh else None
        if raised is None:
            return None
        call = Call(Address(transaction.to), bytes.fromhex(transaction.data[2:]), Wei(transaction.value), "")
        envelope = Envelope(transaction.chain_id, transaction.nonce, transaction.gas_limit, raised)
        signed = self.signer.sign(call, envelope)
        await self._journal.transactions.add_attempt(transaction.id, _attempt(signed.hash, signed.raw, raised))
        await self._broadcast(signed.hash, signed.raw)
        return raised, {signed.hash: signed.raw}

    # --- fees --------------------------------------------------------------------------------------------------------

    async def _market(self, ceiling: Wei | None) -> Fees | None:
        head = await self._blocks.head()
        return fees.offer(head.base_fee, await accounts.tip(self._node), ceiling)

    async def _offer(self, ceiling: Wei | None, gas: int) -> Fees:
        """Return fees within the rule's ceiling and what the account can pay. Raises SendFailedError."""
        head = await self._blocks.head()
        tip = await accounts.tip(self._node)
        offer = fees.offer(head.base_fee, tip, ceiling)
        if offer is None:
            raise SendFailedError(Reason.FEE_LIMIT, f"base fee {head.base_fee} wei, allowed {ceiling} wei")
        balance = await accounts.balance(self._node, self.signer.address)
        payable = Wei(balance // gas)
        if payable < offer.max_fee:
            offer = fees.offer(head.base_fee, tip, payable)
        if offer is None:
            raise SendFailedError(Reason.NO_GAS_MONEY, f"{self.signer.address} holds {balance} wei, {gas} gas to pay")
        return offer


def _attempt(hash_: str, raw: str, offer: Fees) -> NewAttempt:
    return NewAttempt(hash=hash_, raw=raw, max_fee_per_gas=offer.max_fee, max_priority_fee_per_gas=offer.tip)
