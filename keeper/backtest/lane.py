"""The fake behind a signer's lane: what is sent is mined some blocks later, on the account as it is by then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from keeper.backtest.memory import PaperJournal
from keeper.backtest.paper_bundle import TOO_LITTLE
from keeper.backtest.stage import PaperChain
from keeper.chain.accounts import Receipt
from keeper.chain.fees import LEAST_TIP, is_payable
from keeper.core.occurrences import Occurrence, What
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei, gwei_text
from keeper.execution.convoy import Convoy
from keeper.execution.course import Guidance, PlanChangedError, SendFailedError
from keeper.execution.dispatch import Outgoing
from keeper.execution.holders import OwnKey
from keeper.execution.recheck import Change, Drop
from keeper.journal import Attempt, Transaction
from keeper.venues.contracts.permit import PermitTerms
from keeper.venues.ports import Mandate, MandateTerms, Permit

BUMP_BLOCKS = 4
"""Blocks after which more would be offered: then it is asked whether the plan is still right."""
TIP = Wei(10**9)
PRICE_MOVED = "Too much requested", TOO_LITTLE
"""What an exchange says where the price has gone."""


@dataclass(slots=True)
class Mempool:
    """Whoever waits for a block."""

    number: int = 0
    waiting: list[tuple[int, asyncio.Future[None]]] = field(default_factory=list)

    async def until(self, number: int) -> None:
        """Wait for a block."""
        if number > self.number:
            waits = asyncio.get_running_loop().create_future()
            self.waiting.append((number, waits))
            await waits

    def reached(self, number: int) -> None:
        """A block is there."""
        self.number = number
        for due, waits in self.waiting:
            if due <= number and not waits.done():
                waits.set_result(None)
        self.waiting = [(due, waits) for due, waits in self.waiting if due > number]

    @property
    def next(self) -> int | None:
        """The first block that somebody waits for."""
        return min((due for due, _ in self.waiting), default=None)


@dataclass(frozen=True, slots=True)
class PaperSigner:
    """Who signs on paper: a name and an address."""

    address: Address
    name: str = "paper"
    is_at_hand: bool = False
    """Nobody signs permits on paper: a lender's approval goes before its call."""

    def sign_hash(self, digest: bytes) -> bytes:
        """Return what stands for a signature: nobody on paper looks at it."""
        del digest
        return bytes(65)

    def sign_permit(self, terms: PermitTerms, spender: Address, amount: int, deadline: int) -> Permit:
        """Return what stands for a permit."""
        del terms, spender
        return Permit(amount, deadline, 27, bytes(32), bytes(32))

    def sign_mandate(self, terms: MandateTerms, word: Mandate) -> Mandate:
        """Return what stands for a word."""
        del terms
        return word


class PaperLane:
    """Carries what the engine sends into the scene, ``delay`` blocks after it was decided: a ``Sender``."""

    delegate: Address | None = None
    """It delegates to nobody."""

    def __init__(
        self, scene: PaperChain[Any], journal: PaperJournal, pool: Mempool, signer: Address, delay: int
    ) -> None:
        self.signer = PaperSigner(signer)
        self.holder = OwnKey(signer)
        self._scene, self._rows, self._pool, self._delay = scene, journal, pool, delay
        self._mined: list[Transaction] = []
        self._due: int | None = None
        """When a plan that gave way would have been mined: the time belongs to the nonce, and so does another at it."""
        self.convoy = Convoy(self.carry, self.of_decision, journal.written)

    def ready_nonce(self, decided_at: BlockRef) -> int | None:
        """Return that none is."""
        del decided_at
        return None

    async def make_ready(self, block: BlockRef) -> None:
        """Nothing has to be fetched."""

    async def warm_up(self, delegate: Address | None) -> None:
        """Nothing is signed."""

    async def send(self, outgoing: Sequence[Outgoing], guidance: Guidance) -> tuple[Receipt, ...]:
        """Carry it, with whatever else is decided at its block. Raises as ``carry``."""
        return await self.convoy.send(outgoing, guidance)

    async def why_reverted(self, row: Transaction, receipt: Receipt) -> tuple[Reason, str]:
        """Return that nobody knows more of it than was said."""
        del row, receipt
        return Reason.REVERTED, ""

    @property
    def is_carrying(self) -> bool:
        """Whether a burst is on its way."""
        return self.convoy.is_carrying

    @property
    def is_pausing(self) -> bool:
        """Whether what is on its way waits for a block."""
        return bool(self._pool.waiting)

    def look_now(self) -> None:
        """It hears of blocks by itself."""

    async def is_clear(self) -> bool:
        """Whether nothing can land any more: what was carried has come to its end."""
        return True

    async def of_decision(self, decision_id: int) -> tuple[Transaction, ...]:
        """Return what was mined for a decision."""
        return tuple(row for row in self._mined if row.decision_id == decision_id)

    async def carry(self, outgoing: Sequence[Outgoing], guidance: Guidance) -> tuple[Receipt, ...]:
        """Wait until it is mined, and return the receipts. Raises SendFailedError, PlanChangedError."""
        id_ = outgoing[0].decision_id if guidance.entry is None else await self._rows.written(guidance.entry)
        base_fee = self._scene.block().base_fee
        if not is_payable(base_fee, guidance.ceiling):
            raise SendFailedError(Reason.FEE_LIMIT, f"base fee {gwei_text(base_fee)}")
        await self._mined_after(guidance)
        return tuple(self._mine(id_, outgoing))

    async def _mined_after(self, guidance: Guidance) -> None:
        """Wait for its block; every few blocks before it the plan is looked at again."""
        sent = self._pool.number
        due = max(sent + 1, self._due or sent + self._delay)
        self._due = None
        while self._pool.number < due:
            await self._pool.until(min(due, self._pool.number + BUMP_BLOCKS))
            if self._pool.number >= due or guidance.reconsider is None:
                continue
            match await guidance.reconsider(False):
                case Drop(why):
                    raise SendFailedError(why, "taken back before it was mined")
                case Change():
                    self._due = due
                    raise PlanChangedError(())
                case _:
                    pass

    def _mine(self, decision_id: int, outgoing: Sequence[Outgoing]) -> list[Receipt]:
        block = self._scene.block()
        price, receipts, failed = Wei(block.base_fee + min(TIP, max(LEAST_TIP, block.base_fee))), list[Receipt](), None
        for item in outgoing:
            made = self._scene.send(item.call, price)
            spend = 0 if made.error else item.spend_usd
            self._rows.tally += 1
            self._rows.rows[decision_id - 1].spends.append((spend, made.gas * price))
            receipt = Receipt(
                f"0x{len(self._mined):064x}", not made.error, block.number, block.hash, made.gas, price, made.moved
            )
            self._mined.append(_row(len(self._mined) + 1, decision_id, item, receipt, self.signer.address))
            receipts.append(receipt)
            self._rows.own.add(receipt.hash)
            if receipt.succeeded:
                did = Occurrence(What.TRADED, item.call.purpose, block.number, receipt.hash)
                self._scene.happened.append(did)
            failed = failed or (made.error and (made.error, item.call.purpose, receipt.hash))
        if failed:
            error, purpose, hash_ = failed
            reason = Reason.PRICE_MOVED if error in PRICE_MOVED else Reason.REVERTED
            raise SendFailedError(reason, f"{purpose} ({hash_}): {error}")
        return receipts


def _row(id_: int, decision_id: int, item: Outgoing, receipt: Receipt, signer: Address) -> Transaction:
    """Return a mined call as the journal would have it."""
    signed: tuple[Attempt, ...] = ()
    return Transaction(
        id=id_,
        decision_id=decision_id,
        step=item.step,
        chain_id=31337,
        signer=signer,
        nonce=id_,
        to=item.call.to,
        value=item.call.value,
        data="0x" + item.call.data.hex(),
        purpose=item.call.purpose,
        spend_usd=item.spend_usd,
        gas_limit=item.gas_limit,
        replaces=None,
        state="mined" if receipt.succeeded else "reverted",
        block_number=receipt.block_number,
        block_hash=receipt.block_hash,
        gas_used=receipt.gas_used,
        effective_gas_price=receipt.gas_price,
        error=None,
        created_at=0,
        updated_at=0,
        attempts=signed,
    )
