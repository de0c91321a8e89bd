"""Sign, write down, hand to the node, look what became of it: the four things done with one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from keeper.chain import accounts, rejections
from keeper.chain.accounts import Receipt
from keeper.chain.client import Upstream
from keeper.chain.client_words import Cause
from keeper.chain.errors import NodeError
from keeper.chain.fees import Fees
from keeper.chain.rejections import Refusal
from keeper.core.units import Address, Wei
from keeper.execution.carriers import Use
from keeper.execution.holders import Holder
from keeper.execution.nonces import Nonces
from keeper.execution.pricing import UNSENT, Offer
from keeper.execution.signer import Envelope, TransactionSigner, delegate_in
from keeper.execution.traces import Trace, trace
from keeper.execution.tx_state import TxState, moved
from keeper.journal import Entry, Journal, NewAttempt, NewDecision, NewTransaction, Transaction
from keeper.journal.signed import State
from keeper.venues.ports import Call

T = TypeVar("T")
SPENT_ELSEWHERE = "the nonce was used by a transaction of another program"
EARLIER_LANDED = "an earlier intent at the same nonce was mined"
STRANDED = "the nonces below it are free: the nonce it was signed for was given too high"
DEEPEST = 64
"""Nonces a reorg is believed to free; a node that misses more only lags."""

Wire = Callable[[int, str], Awaitable[None]]
"""Hands signed bytes of a nonce to whoever should have them now. Raises NodeError."""


class Heard(Enum):
    """What came of handing bytes over, where they were not refused."""

    TAKEN = "taken"
    SILENCE = "silence"
    """No node answered: they may have been taken all the same."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A call about to be signed: the step it is, the dollars the limits count, its gas limit.

    ``delegate`` names the account contract a batch delegates to (EIP-7702), when that is not done yet.
    """

    call: Call
    decision_id: int
    step: int
    spend_usd: int
    gas_limit: int
    delegate: Address | None = None
    use: Use | None = None
    """Which nonces of a contract account's own it uses up."""


ToSign = tuple[Outgoing, int, Transaction | None]
"""A call, its nonce, and the intent it replaces there."""


class Dispatch:
    """What one signer does on one chain. Keeps nothing in memory: the journal is the state."""

    def __init__(
        self, node: Upstream, chain_id: int, journal: Journal, signer: TransactionSigner, wire: Wire, holder: Holder
    ) -> None:
        self.node = node
        self.holder = holder
        self.signer = signer
        self.nonces = Nonces(node, chain_id, signer.address, journal.transactions)
        self._chain_id = chain_id
        self._journal = journal.transactions
        self._bursts = journal.bursts
        self._wire = wire

    async def sign(
        self, outgoing: Outgoing, nonce: int, fees: Offer, replaces: Transaction | None = None
    ) -> Transaction:
        """Sign a call and write it down, durable before any wire.

        Raises JournalError, NonceTakenError, UnsignedError.
        """
        (row,) = await self.sign_each([(outgoing, nonce, replaces)], fees)
        return row

    async def sign_each(self, items: Sequence[ToSign], fees: Offer) -> tuple[Transaction, ...]:
        """Sign calls, then write each down: where one is not signed, nothing is written. Raises as ``sign``."""
        await self.holder.expose([outgoing.use for outgoing, _, _ in items])
        made = await self._side_by_side([self._signed(outgoing, nonce, fees) for outgoing, nonce, _ in items])
        return tuple([await self.write_down(*one, replaces) for one, (_, _, replaces) in zip(made, items, strict=True)])

    async def write_down(self, row: NewTransaction, attempt: NewAttempt, replaces: Transaction | None) -> Transaction:
        """Write one signature down, durable before any wire; return its row. Raises JournalError, NonceTakenError."""
        if replaces is None:
            written = await self._journal.add_signed(row, attempt)
        else:
            moved(TxState(replaces.state), TxState.REPLACED)
            written = await self._journal.replace_signed(replaces.id, row, attempt)
        return await self._row(row.nonce, written)

    async def _side_by_side(self, work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """Ask for all at once where somebody else is asked: a burst takes as long as its slowest signature."""
        if self.signer.is_at_hand:
            return [await one for one in work]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def sign_all(
        self, outgoing: Sequence[Outgoing], first: int, fees: Offer, entry: Entry
    ) -> tuple[Transaction, ...]:
        """Sign calls at consecutive nonces that are free; write them and their decision down in one durable commit.

        Raises JournalError, NonceTakenError, UnsignedError.
        """
        await self.holder.expose([item.use for item in outgoing])
        made = await self._side_by_side([self._signed(o, first + i, fees) for i, o in enumerate(outgoing)])
        return await self._bursts.add(entry, made)

    async def warm_up(self, nonce: int, delegate: Address | None) -> None:
        """Sign and write down a transfer of nothing to oneself, and undo it: the next time is not the first.

        Nothing of it is sent or stays. Raises JournalError.
        """
        item = Outgoing(Call(self.signer.address, b"", Wei(0), "warm up"), 0, 0, 0, 60_000, delegate)
        where = {"chain_id": self._chain_id, "block_number": 0, "block_hash": "", "block_timestamp": 0}
        what = {"position": "", "rule": "", "mode": "live", "kind": "act", "reason": "", "summary": "", "inputs": {}}
        decision = NewDecision(**where, **what, plan={}, rehearsal={})  # type: ignore[arg-type]  # plain data, once
        await self._bursts.warm_up(Entry(decision), [await self._signed(item, nonce, UNSENT)])

    async def _signed(self, outgoing: Outgoing, nonce: int, fees: Offer) -> tuple[NewTransaction, NewAttempt]:
        envelope = Envelope(self._chain_id, nonce, outgoing.gas_limit, fees, outgoing.delegate)
        signed = await self.signer.signed(outgoing.call, envelope)
        row = NewTransaction(
            decision_id=outgoing.decision_id,
            step=outgoing.step,
            chain_id=self._chain_id,
            signer=self.signer.address,
            nonce=nonce,
            to=outgoing.call.to,
            value=outgoing.call.value,
            data="0x" + outgoing.call.data.hex(),
            purpose=outgoing.call.purpose,
            spend_usd=outgoing.spend_usd,
            gas_limit=outgoing.gas_limit,
        )
        return row, _attempt(signed.hash, signed.raw, fees)

    async def broadcast(self, transaction: Transaction) -> Heard | Refusal:
        """Hand the newest bytes to the node, and return what it said. A refusal is noted, not raised."""
        newest = transaction.attempts[-1]
        try:
            await self._wire(transaction.nonce, newest.raw)
        except NodeError as error:
            refusal = rejections.of(error)
            if refusal is None or refusal.cause is not Cause.ALREADY_KNOWN:
                await self._journal.mark_refused(newest.hash, error.detail)
                return refusal or Heard.SILENCE
        await self._journal.mark_broadcast(newest.hash)
        return Heard.TAKEN

    async def resign_each(self, rows: Sequence[Transaction], fees: Offer) -> dict[int, Transaction]:
        """Sign each again as ``resign`` does; return them by id. Raises JournalError, UnsignedError."""
        again = await self._side_by_side([self.resign(row, fees) for row in rows])
        return {row.id: signed for row, signed in zip(rows, again, strict=True)}

    async def resign(self, transaction: Transaction, fees: Offer, gas_limit: int | None = None) -> Transaction:
        """Sign the same call at its nonce with another offer, or more gas, and write it down. Hands nothing over."""
        call = Call(Address(transaction.to), bytes.fromhex(transaction.data[2:]), Wei(transaction.value), "")
        delegate = delegate_in(transaction.attempts[0].raw)
        limit = gas_limit or transaction.gas_limit
        signed = await self.signer.signed(call, Envelope(self._chain_id, transaction.nonce, limit, fees, delegate))
        if any(attempt.hash == signed.hash for attempt in transaction.attempts):
            return transaction
        await self._journal.add_attempt(transaction.id, _attempt(signed.hash, signed.raw, fees), gas_limit)
        return await self._row(transaction.nonce, transaction.id)

    async def estimate(self, transaction: Transaction) -> int | None:
        """Return the gas a node reckons the call takes, what a rollup charges included; None where it cannot say."""
        call = {"from": self.signer.address, "to": transaction.to, "data": transaction.data}
        try:
            return int(str(await self.node.request("eth_estimateGas", {**call, "value": hex(transaction.value)})), 16)
        except (NodeError, ValueError):
            return None

    async def trace(self, transaction: Transaction) -> Trace:
        """Return by what a nonce was used, where that can be shown. Raises JournalError."""
        rows = await self._journal.at_nonce(self._chain_id, self.signer.address, transaction.nonce)
        newest_first = [attempt.hash for row in rows for attempt in row.attempts][::-1]
        return await trace(self.node, self.signer.address, transaction.nonce, newest_first)

    async def look(self, transaction: Transaction) -> tuple[Transaction, Receipt | None]:
        """Seek a receipt for every hash ever signed at the nonce, and write down what is found.

        Returns the row as it stands now with its receipt: None when nothing was mined, or when what was mined is an
        earlier intent that this one had replaced. Raises NodeError when the node does not answer.
        """
        rows = await self._journal.at_nonce(self._chain_id, self.signer.address, transaction.nonce)
        found = await self._receipt_among(rows)
        if found is None:
            return next(r for r in rows if r.id == transaction.id), None
        winner, receipt = found
        for row in rows:
            if row.id != winner.id:
                await self._settle_loser(row, winner)
        state = TxState.MINED if receipt.succeeded else TxState.REVERTED
        if TxState(winner.state) is not TxState.CONFIRMED:
            await self.settle(winner, state, receipt=receipt)
        if winner.id == transaction.id:
            return replace(winner, state=_name(state)), receipt
        return replace(transaction, state="expired", error=EARLIER_LANDED), None

    async def reopen(self, mined: int, below: int | None = None) -> tuple[Transaction, ...]:
        """Put back to pending, and say again, what landed by the journal though the chain has its nonce free again.

        ``mined`` is the chain's next nonce. A reorg does not bring transactions back to the pool by itself, and what
        comes after them waits for them. Returns the rows. Raises NodeError.
        """
        highest = await self._journal.highest_nonce(self._chain_id, self.signer.address)
        end = -1 if highest is None else highest + 1 if below is None else min(below, highest + 1)
        taken = list[Transaction]()
        for nonce in range(mined, end) if end - mined <= DEEPEST else ():
            rows = await self._journal.at_nonce(self._chain_id, self.signer.address, nonce)
            for row in rows:
                is_used = TxState(row.state).has_landed or row.state == "unseen"
                if is_used and (await self._receipt_among(rows)) is None:
                    await self.settle(row, TxState.PENDING)
                    taken.append(replace(row, state="pending"))
        for row in taken:
            await self.broadcast(row)
        return tuple(taken)

    async def _receipt_among(self, rows: Sequence[Transaction]) -> tuple[Transaction, Receipt] | None:
        for row in rows:
            for attempt in row.attempts:
                receipt = await accounts.receipt(self.node, attempt.hash, self.signer.address, row.to)
                if receipt:
                    return row, receipt
        return None

    async def _settle_loser(self, row: Transaction, winner: Transaction) -> None:
        """Write down an intent whose nonce went to another of ours."""
        if TxState(row.state).is_open or TxState(row.state).has_landed or row.state == "unseen":
            await self.settle(row, TxState.EXPIRED, error=EARLIER_LANDED)
        elif row.state == "replaced" and self.holder.is_ending(winner) and winner.replaces == row.id:
            await self.settle(row, TxState.CANCELLED, error="cancelled")
        elif row.state == "replaced":
            await self.settle(row, TxState.EXPIRED, error="replaced by another plan")

    async def settle(
        self, row: Transaction, state: TxState, *, receipt: Receipt | None = None, error: str | None = None
    ) -> None:
        """Write down where a transaction stands. Raises IllegalMoveError, JournalError."""
        moved(TxState(row.state), state)
        await self._journal.settle(
            row.id,
            _name(state),
            block_number=receipt.block_number if receipt else None,
            block_hash=receipt.block_hash if receipt else None,
            gas_used=receipt.gas_used if receipt else None,
            effective_gas_price=receipt.gas_price if receipt else None,
            error=error or (None if receipt is None or receipt.succeeded else receipt.refused or "status 0"),
        )

    async def open_rows(self) -> tuple[Transaction, ...]:
        """Return what is signed or pending, by nonce."""
        return await self._journal.unfinished(self._chain_id, self.signer.address)

    async def unconfirmed(self) -> tuple[Transaction, ...]:
        """Return what is mined but could still be reorganised."""
        return await self._journal.unfinished(self._chain_id, self.signer.address, {"mined"})

    async def unseen(self) -> tuple[Transaction, ...]:
        """Return what may have landed: its nonce is used, by what no node has shown."""
        return await self._journal.unfinished(self._chain_id, self.signer.address, {"unseen"})

    async def costless(self, nonces: range) -> tuple[Transaction, ...]:
        """Return what reverted or never landed at these nonces, as far as the chain has shown."""
        states: set[State] = {"reverted", "expired", "cancelled"}
        return await self._journal.unfinished(self._chain_id, self.signer.address, states, nonces)

    async def is_covered(self, nonces: range) -> bool:
        """Return whether something of ours is at each of these nonces, which the chain has free: then it is pending."""
        states: set[State] = {"signed", "pending", "unseen", "mined", "confirmed", "reverted"}
        held = {r.nonce for r in await self._journal.unfinished(self._chain_id, self.signer.address, states, nonces)}
        return len(held) >= len(nonces)

    async def mined_nonce(self) -> int:
        """Return how many transactions of the signer are mined, as far as nodes are believed. Raises NodeError."""
        return (await self.nonces.mined()).number

    async def _row(self, nonce: int, id_: int) -> Transaction:
        rows: Sequence[Transaction] = await self._journal.at_nonce(self._chain_id, self.signer.address, nonce)
        return next(row for row in rows if row.id == id_)


def fees_of(transaction: Transaction) -> Fees:
    """Return what the newest attempt offers."""
    newest = transaction.attempts[-1]
    return Fees(Wei(newest.max_fee_per_gas), Wei(newest.max_priority_fee_per_gas))


def _name(state: TxState) -> State:
    name: State = state.value
    return name


def _attempt(hash_: str, raw: str, offer: Fees) -> NewAttempt:
    return NewAttempt(hash=hash_, raw=raw, max_fee_per_gas=offer.max_fee, max_priority_fee_per_gas=offer.tip)
