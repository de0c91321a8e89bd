"""One nonce lane per chain and signer: the only way a transaction of this signer leaves the program.

Signed bytes are in the journal before they are on the wire. A nonce is used once: the same bytes are said again, a
higher offer or another intent goes to the same nonce, and receipts are sought for everything ever signed at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from keeper.chain import accounts
from keeper.chain.accounts import Receipt
from keeper.chain.blocks import Blocks
from keeper.chain.client import Upstream
from keeper.chain.errors import NodeRefusedError
from keeper.chain.simulation import as_request
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.execution import grants
from keeper.execution.convoy import Convoy
from keeper.execution.course import Guidance, SendFailedError
from keeper.execution.delegation import Delegation
from keeper.execution.dispatch import Dispatch, Outgoing, ToSign, Wire
from keeper.execution.flight import Flight
from keeper.execution.gaps import Gaps
from keeper.execution.holders import Holder, OwnKey
from keeper.execution.landed import Landed
from keeper.execution.offers import Offers, tolled
from keeper.execution.pricing import Demands, NoOffer, Offer, Pricing
from keeper.execution.ready import Ready, read_ready
from keeper.execution.reverted import why_reverted
from keeper.execution.saying import CANCEL_GAS
from keeper.execution.send_state import Timings
from keeper.execution.sideline import Sideline
from keeper.execution.signer import TransactionSigner
from keeper.execution.tx_state import TxState
from keeper.execution.wishes import Wishes
from keeper.journal import Journal, Transaction

USE_UP = "use up a delegation that was called off"
TAKE_BACK = "use up a signature that was shown and not used"


class Lane:
    """Carries one burst at a time; several plans' parts go out together in it: see ``convoy``."""

    def __init__(
        self,
        node: Upstream,
        blocks: Blocks,
        journal: Journal,
        signer: TransactionSigner,
        timings: Timings,
        poll_s: float,
        clock: Callable[[], float],
        wire: Wire | None = None,
        cap: Wei | None = None,
        holder: Holder | None = None,
    ) -> None:
        async def to_node(_: int, raw: str) -> None:
            await accounts.send(node, raw)

        self.signer = signer
        self.node = node
        self.holder = holder or OwnKey(signer.address)
        self._dispatch = Dispatch(node, blocks.chain_id, journal, signer, wire or to_node, self.holder)
        self._blocks = blocks
        self._journal = journal
        self._pricing = Pricing(node, blocks, signer.address, cap)
        wishes = Wishes(journal, blocks.chain_id, signer.address)
        self._flight = Flight(self._dispatch, self._quote, timings, poll_s, clock, wishes.take)
        self._offers = Offers(self._pricing, self._flight.nothing)
        self._gaps = Gaps(self._dispatch, self._pricing, self._offers)
        self._landed = Landed(self._dispatch)
        self._may_have_granted = True
        """Whether an authorization may have been signed whose nonce is not seen to be used."""
        self._ready: Ready | None = None
        self.delegation = Delegation(node, signer.address)
        self._doubted = 0
        """What a node said of the nonce when the last plan was signed, and was not believed; zero for nothing."""
        self._leftovers: asyncio.Task[tuple[Transaction, ...]] | None = None
        self._trouble: BaseException | None = None
        self.is_stuck = False
        """Whether what is pending was followed as long as anything is, and not mined."""
        self.convoy = Convoy(self.carry, self.of_decision, journal.decisions.written)
        self.sideline = Sideline()
        """What is done beside plans: tended, called off, taken back."""

    def cap(self, most: Wei | None) -> None:
        """Offer at most so much per gas from now on, whatever is on its way."""
        self._pricing.cap = most

    async def reconcile(self, patience_s: float | None = None) -> tuple[Transaction, ...]:
        """Take up what an earlier run left signed or pending: say it again, and follow it to its end; return it.

        Call at the start and whenever the node was away, before anything new is decided. Nothing more is offered for
        it: why it was sent is not known any more, and a plan that is still needed replaces it at its nonce. Raises
        SendFailedError (NOT_MINED) when something is still pending after ``patience_s``.
        """
        await self._leave_leftovers()
        return await self._take_up(patience_s)

    def follow_leftovers(self) -> None:
        """Keep saying again what is pending, in the background, until it is mined or a plan replaces it."""
        if self._leftovers is None or self._leftovers.done():
            self._leftovers = asyncio.create_task(self._take_up(None))
            self._leftovers.add_done_callback(self._left)

    def take_trouble(self) -> BaseException | None:
        """Return why what is pending could not be followed, once; None where it could."""
        found, self._trouble = self._trouble, None
        return found

    def _left(self, task: asyncio.Task[tuple[Transaction, ...]]) -> None:
        self._trouble = None if task.cancelled() else task.exception()
        self.is_stuck |= is_not_mined(self._trouble)

    async def _take_up(self, patience_s: float | None) -> tuple[Transaction, ...]:
        rows = await self._gaps.fill(await self._dispatch.open_rows())
        if not rows:
            return ()
        no_more = Guidance(ceiling=Wei(0), cancel_ceiling=None, give_up_s=patience_s, one_by_one=self._one_by_one)
        try:
            await self._flight.fly(rows, no_more)
        except SendFailedError as error:
            if error.reason is Reason.NOT_MINED:
                raise
        self._landed.has_unconfirmed = True
        return rows

    async def _leave_leftovers(self) -> None:
        """Stop the background task: one task at a time uses the lane."""
        task, self._leftovers = self._leftovers, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def send(self, outgoing: Sequence[Outgoing], guidance: Guidance) -> tuple[Receipt, ...]:
        """Send, with whatever else of this signer is ready by then; return the receipts of what was asked for.

        What is done beside plans gives way. Raises as ``carry``.
        """
        await self.sideline.give_way()
        return await self.convoy.send(outgoing, guidance)

    @property
    def is_carrying(self) -> bool:
        """Whether a burst is on its way."""
        return self.convoy.is_carrying

    @property
    def delegate(self) -> Address | None:
        """The contract that the account was seen to be delegated to (EIP-7702)."""
        return self.delegation.contract

    async def why_reverted(self, row: Transaction, receipt: Receipt) -> tuple[Reason, str]:
        """Return whether a revert was for the price or another's deed, and what the chain says of it."""
        return await why_reverted(self.node, row, receipt)

    @property
    def is_pausing(self) -> bool:
        """Whether the burst on its way was looked at, and waits for another block."""
        return self._flight.is_pausing and not self._flight.news.is_set()

    def look_now(self) -> None:
        """A block came: look at what is on its way at once."""
        self._flight.news.set()

    async def carry(self, outgoing: Sequence[Outgoing], guidance: Guidance) -> tuple[Receipt, ...]:
        """Sign all, write all down, send all, at consecutive nonces; return their receipts.

        What is still pending from an earlier plan is replaced at its own nonces, never queued behind. Raises as
        ``Flight.follow``, and SendFailedError when the fee limit or the balance forbids any offer.
        """
        await self._leave_leftovers()
        self.is_stuck = False
        self._may_have_granted |= any(item.delegate for item in outgoing)
        rows = await self._signed_from_ready(outgoing, guidance) or await self._signed(outgoing, guidance)
        self._landed.has_unconfirmed = True
        try:
            receipts = await self._flight.fly(rows, replace(guidance, one_by_one=self._one_by_one))
        except SendFailedError as error:
            self.is_stuck = is_not_mined(error) and guidance.give_up_s != 0  # it was not even waited for
            if not await self._was_below_a_true_count(rows[0], error):
                raise
            rows = await self._signed(outgoing, guidance)
            receipts = await self._flight.fly(rows, replace(guidance, one_by_one=self._one_by_one))
        return receipts[: len(outgoing)]

    async def _was_below_a_true_count(self, row: Transaction, error: SendFailedError) -> bool:
        """Whether a plan was signed below a count that was doubted, and was true: no node took it, it goes again.

        Raises NodeError, JournalError.
        """
        if error.reason not in (Reason.NONCE_TAKEN, Reason.RECEIPT_MISSING) or not self._doubted:
            return False
        now = await self._dispatch.nonces.mined()
        return row.nonce < self._doubted <= now.number

    async def _signed(self, outgoing: Sequence[Outgoing], guidance: Guidance) -> tuple[Transaction, ...]:
        """Sign and write down, the node asked for everything a signature covers."""
        if guidance.entry is not None:
            id_ = await self._journal.decisions.written(guidance.entry)
            outgoing = [replace(item, decision_id=id_) for item in outgoing]
        pending, first = await self._settled_first(guidance)
        if moved := await self.holder.moved([item.use for item in outgoing]):
            raise SendFailedError(Reason.SAFE_NONCE_USED, moved)
        if len(outgoing) > 1:
            await self.delegation.learn(first)
        offer, outgoing = await self._offers.offer(guidance.ceiling, outgoing, pending)
        at = {row.nonce: row for row in pending}
        items: list[ToSign] = [(item, nonce, at.pop(nonce, None)) for nonce, item in enumerate(outgoing, first)]
        items += [(self._flight.nothing(row), row.nonce, row) for row in at.values()]
        return await self._dispatch.sign_each(items, offer)

    async def make_ready(self, block: BlockRef) -> None:
        """Fetch what the next send needs. Raises NodeError, JournalError."""
        self._ready = await read_ready(self._dispatch, self._pricing, self._journal, block)
        if self._ready is not None:
            await self.delegation.learn(self._ready.nonce)

    async def warm_up(self, delegate: Address | None) -> None:
        """See ``Dispatch.warm_up``. Raises JournalError."""
        if self._ready is not None and self.signer.is_at_hand:  # anybody else would be asked in earnest
            await self._dispatch.warm_up(self._ready.nonce, delegate)

    def ready_nonce(self, decided_at: BlockRef) -> int | None:
        """Return the nonce that is ready for what is decided at a block; None when the node would have to be asked."""
        ready = self._ready
        return ready.nonce if ready and ready.serves(decided_at, self._journal.tally) else None

    async def _signed_from_ready(self, outgoing: Sequence[Outgoing], guidance: Guidance) -> tuple[Transaction, ...]:
        """Sign and write down without asking the node anything; return nothing when that cannot be."""
        ready, self._ready = self._ready, None
        block, entry = guidance.decided_at, guidance.entry
        if ready is None or block is None or entry is None or not ready.serves(block, self._journal.tally):
            return ()
        market = replace(ready.market, base_fee=block.base_fee)
        outgoing = tolled(outgoing, market.toll)
        offer = self._pricing.at(market, guidance.ceiling, self._offers.purse(guidance.balance, outgoing, market.toll))
        return await self._dispatch.sign_all(outgoing, ready.nonce, offer, entry) if isinstance(offer, Offer) else ()

    async def _settled_first(self, guidance: Guidance) -> tuple[tuple[Transaction, ...], int]:
        """Return what is pending and may be replaced, and the next nonce, once what has changed is written down.

        A plan holds for the state it was made on: where the signer's nonce is not what it was then, be it by this
        lane, by a reorg or by a keeper elsewhere with the same key, it is refused (STALE_STATE). A burst that
        continues a plan waits for what a reorg took of it.
        """
        count = await self._dispatch.nonces.to_build_on()
        mined, self._doubted = count.number, count.stated or 0
        taken = await self._dispatch.reopen(mined)
        pending = await self._dispatch.open_rows()
        if guidance.continues:
            if pending:
                await self._flight.follow(pending, replace(guidance, one_by_one=self._one_by_one))
                mined = await self._dispatch.mined_nonce()
            return (), mined
        landed = [row for row in pending if row.nonce < mined]
        for row in landed:
            await self._dispatch.look(row)
        if taken or landed:
            raise SendFailedError(Reason.STALE_STATE, f"{len(taken)} transactions reorganised, {len(landed)} mined")
        if guidance.decided_at is not None:
            then = await self._dispatch.nonces.at(guidance.decided_at.hash)
            if then.number != mined:
                number = guidance.decided_at.number
                raise SendFailedError(Reason.STALE_STATE, f"nonce {mined} is next, {then.number} was at block {number}")
        return await self._gaps.reachable(pending, mined), mined

    async def tend(self, head: BlockRef, confirmations: int, *, is_reorg: bool = False) -> tuple[str, ...]:
        """See to what is mined until a reorg can no longer take it away; return what a reorg took. Raises NodeError."""
        self._pricing.saw(head)
        self._may_have_granted |= is_reorg
        if is_reorg:
            self.holder.doubt()
        return await self._landed.tend(head, confirmations, is_reorg=is_reorg)

    def take_found(self) -> tuple[Transaction, ...]:
        """Return what was unseen and has landed after all, once."""
        return self._landed.take_found()

    def take_disproved(self) -> bool:
        """Return whether something unseen was shown never to have landed, once."""
        return self._landed.take_disproved()

    async def unused_grant(self) -> Transaction | None:
        """Return what was signed with an authorization that is good still, though another took its nonce (EIP-7702).

        None while anything is pending. Asks the node only where there may be one. Raises NodeError.
        """
        if not self._may_have_granted or await self._dispatch.open_rows():
            return None
        before = await self._dispatch.mined_nonce() - 1
        rows = await self._journal.transactions.at_nonce(self._blocks.chain_id, self.signer.address, before)
        found = grants.unused(rows)
        self._may_have_granted = found is not None
        return found

    async def use_up(self, granted: Transaction, ceiling: Wei | None) -> None:
        """Sign and send a transfer of nothing at an authorization's nonce. Raises SendFailedError, NodeError."""
        item = replace(self._flight.nothing(granted), call=replace(self._flight.nothing(granted).call, purpose=USE_UP))
        offer, (item,) = await self._offers.offer(ceiling, [item], ())
        await self._dispatch.broadcast(await self._dispatch.sign(item, granted.nonce + 1, offer))
        self._landed.has_unconfirmed = True

    async def take_back(self, ceiling: Wei | None) -> bool:
        """Use up, with nothing else to send, what a signature of ours is still good for; return whether it was needed.

        Only while nothing is pending, and not where it would revert: then the owner has to see to it. Raises
        SendFailedError, NodeError, JournalError.
        """
        if not await self.holder.is_exposed() or await self._dispatch.open_rows():
            return False
        highest = await self._journal.transactions.highest_nonce(self._blocks.chain_id, self.signer.address)
        if highest is None:
            return False  # nothing of it was ever on the wire
        *_, last = await self._journal.transactions.at_nonce(self._blocks.chain_id, self.signer.address, highest)
        call = await self.holder.ending(TAKE_BACK)
        try:
            await self.node.request("eth_estimateGas", as_request(self.signer.address, call))
        except NodeRefusedError as error:
            raise SendFailedError(Reason.REVERTED, f"{TAKE_BACK}: {self.holder.address}: {error.message}") from error
        item = Outgoing(call, last.decision_id, last.step, 0, max(CANCEL_GAS, call.least_gas))
        offer, (item,) = await self._offers.offer(ceiling, [item], ())
        await self._dispatch.broadcast(await self._dispatch.sign(item, await self._dispatch.mined_nonce(), offer))
        self._landed.has_unconfirmed = True
        return True

    async def of_decision(self, decision_id: int) -> tuple[Transaction, ...]:
        """Return what was signed for a decision, by nonce."""
        return await self._journal.transactions.of_decision(decision_id)

    async def leftovers(self) -> tuple[Transaction, ...]:
        """Return what is signed or pending and is no cancellation."""
        return tuple(row for row in await self._dispatch.open_rows() if not self.holder.is_ending(row))

    async def call_off(self, ceiling: Wei | None, judged_at: BlockRef, *, is_stranded: bool = False) -> int:
        """Cancel what an earlier plan left pending and nobody needs any more; return how many.

        Not once a part of it was mined: what was begun is finished, unless ``is_stranded``: the rest does not come, and
        what was taken out comes back when it is called off. Nor when it was mined at the block where nobody
        needed it, and a reorg took it since. Raises SendFailedError when no offer is allowed, NodeError.
        """
        if not await self._needless(judged_at, is_stranded=is_stranded):
            return 0  # those who follow it go on: blocks may come faster than they are done
        await self._leave_leftovers()
        pending = await self._needless(judged_at, is_stranded=is_stranded)
        if not pending:
            return 0
        endings = await self._flight.endings(pending)
        offer, nothing = await self._offers.offer(ceiling, endings, pending)
        items = [(item, row.nonce, row) for row, item in zip(pending, nothing, strict=True)]
        for row in await self._dispatch.sign_each(items, offer):
            await self._dispatch.broadcast(row)
        self._landed.has_unconfirmed = True
        return len(pending)

    async def _needless(self, judged_at: BlockRef, *, is_stranded: bool) -> tuple[Transaction, ...]:
        """Return what is pending where all of it may be called off. Raises NodeError, JournalError."""
        pending, mined = await self._dispatch.open_rows(), await self._dispatch.mined_nonce()
        begun = [r for d in {r.decision_id for r in pending} for r in await self.of_decision(d) if r.spend_usd]
        has_begun = any(TxState(r.state).has_landed for r in begun) and not is_stranded
        if not pending or pending[0].nonce != mined or has_begun:
            return ()
        if (await self._dispatch.nonces.at(judged_at.hash)).number != mined:
            return ()
        return pending

    async def is_clear(self) -> bool:
        """Return whether nothing is signed or pending."""
        return not await self._dispatch.open_rows()

    async def close(self) -> None:
        """Leave what is pending to the next run: it is in the journal."""
        await self.sideline.give_way()
        await self._leave_leftovers()

    @property
    def _one_by_one(self) -> bool:
        """Whether one transaction of this account is handed over at a time: it is delegated, or a node said so."""
        return self._flight.met_one_by_one or self.delegation.contract is not None

    async def _quote(self, ceiling: Wei | None, rows: Sequence[Transaction], asked: Demands) -> Offer | NoOffer:
        return await self._offers.quote(ceiling, rows, asked)


def is_not_mined(error: BaseException | None) -> bool:
    """Return whether a flight ended because its time was over."""
    return isinstance(error, SendFailedError) and error.reason is Reason.NOT_MINED
