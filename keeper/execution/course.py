"""How far a burst has come on its way, what it may do on its own, and the two ways it ends before its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from keeper.chain.accounts import Receipt
from keeper.chain.client_words import Cause
from keeper.chain.rejections import Refusal
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Wei
from keeper.execution.recheck import Verdict
from keeper.execution.send_state import SendState
from keeper.execution.tx_state import TxState
from keeper.journal import Entry, Transaction

Reconsider = Callable[[bool], Awaitable[Verdict]]
"""Asks what would be decided now; given whether a transaction of the burst is mined already."""
NOTHING = Wei(0)


class SendFailedError(Exception):
    """A burst did not do what it was sent for. Nothing after it in the plan was sent."""

    def __init__(self, reason: Reason, detail: str, reverted: tuple[Transaction, Receipt] | None = None) -> None:
        super().__init__(f"{reason.short}: {detail}")
        self.reason = reason
        self.detail = detail
        self.reverted = reverted
        """The first transaction that reverted, where one did."""


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
    give_up_s: float | None = None
    """Seconds to stay with it, where that is not what the timings say."""
    decided_at: BlockRef | None = None
    """The block the plan was made for: it is refused when the signer's nonce moved on since."""
    entry: Entry | None = None
    """The decision, when it is to be written in one commit with the first signed bytes."""
    balance: Wei = NOTHING
    """The signer's native currency at ``decided_at``."""
    continues: bool = False
    """Whether a burst of the same plan came before: what a reorg took of it is waited for, not replaced."""
    one_by_one: bool = False
    """Whether only the lowest pending nonce is handed over: a delegated account may have one in a node's pool."""


@dataclass(slots=True)
class Course:
    """How far a flight has come."""

    rows: tuple[Transaction, ...]
    state: SendState
    receipts: dict[int, Receipt] = field(default_factory=dict)
    used_since: dict[int, float] = field(default_factory=dict)
    """Since when a nonce counts as used although nothing was seen there."""
    traced_at: dict[int, float] = field(default_factory=dict)
    gap_since: float | None = None
    """Since when a nonce below the lowest is free, with nothing of ours at it."""
    refused: dict[int, Refusal] = field(default_factory=dict)
    """By nonce, what was last said of the newest bytes, where they were refused."""
    repeats: Counter[tuple[int, Cause]] = field(default_factory=Counter)
    """How often a row was refused for a cause."""
    first_gas: dict[int, int] = field(default_factory=dict)
    taken_once: set[int] = field(default_factory=set)
    """Nonces of which some node has, or may have, bytes."""
    answered: int = 0
    looked_at: float = 0.0
    """When the plan was last found right."""
    ceiling: Wei | None = None
    one_by_one: bool = False
    dropped: Reason | None = None
    taken: Transaction | None = None
    """The first row whose nonce another program used."""
    unseen: Transaction | None = None
    """The first row whose nonce is used, by what nobody has shown."""
    is_mixed: bool = False
    """Whether an earlier plan's intent landed in the place of a row: the others were not meant to come after it."""

    @property
    def pending(self) -> tuple[Transaction, ...]:
        """The rows that may still land, by nonce."""
        return tuple(sorted((r for r in self.rows if TxState(r.state).is_open), key=lambda r: r.nonce))

    @property
    def is_used_up(self) -> bool:
        """Whether the nonces of all that is pending count as used: there is nothing left to say or to bid for."""
        return all(row.nonce in self.used_since for row in self.pending)

    def take_back(self, rows: Sequence[Transaction]) -> None:
        """Follow again what a reorg took, also of an earlier burst: what is pending waits for it."""
        for row in rows:
            self.receipts.pop(row.nonce, None)
        ids = {row.id for row in rows}
        self.rows = (*(row for row in self.rows if row.id not in ids), *rows)

    def landed(self, asked: Sequence[Transaction]) -> tuple[Receipt, ...]:
        """Return the receipts of ``asked``, or raise what went wrong with the first that did not succeed."""
        if self.taken:
            raise SendFailedError(Reason.NONCE_TAKEN, f"{self.taken.purpose}, nonce {self.taken.nonce}")
        if self.unseen:
            raise SendFailedError(Reason.RECEIPT_MISSING, f"{self.unseen.purpose}, nonce {self.unseen.nonce}")
        if self.dropped:
            raise SendFailedError(self.dropped, f"{self.rows[0].purpose}, nonce {self.rows[0].nonce}")
        for row in self.rows:
            receipt = self.receipts.get(row.nonce)
            if receipt is None:
                raise SendFailedError(Reason.SUPERSEDED, f"{row.purpose}, nonce {row.nonce}: {row.error}")
            if not receipt.succeeded:
                raise SendFailedError(Reason.REVERTED, f"{row.purpose} ({receipt.hash})", (row, receipt))
        return tuple(self.receipts[row.nonce] for row in asked)
