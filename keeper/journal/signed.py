"""What was signed, as the journal keeps it: a row for each intent at a nonce, with every attempt at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal[
    "planned", "signed", "pending", "replaced", "unseen", "mined", "confirmed", "reverted", "expired", "cancelled"
]
UNFINISHED: frozenset[State] = frozenset({"signed", "pending"})
UNDECIDED: frozenset[State] = frozenset({*UNFINISHED, "replaced", "unseen"})
"""What may have landed, or may yet: it counts as spent until it is known that it did not."""
LANDED: frozenset[State] = frozenset({"mined", "confirmed"})
GAVE_UP_NONCE: frozenset[State] = frozenset({"replaced", "expired", "cancelled"})
"""States outside the unique index: another intent may live at the nonce."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTransaction:
    """One call to be sent: step ``step`` of the decision's plan. Addresses checksummed, data as 0x-hex.

    ``value`` is wei; ``spend_usd`` has 8 decimals and is what the limits count.
    """

    decision_id: int
    step: int
    chain_id: int
    signer: str
    nonce: int
    to: str
    value: int
    data: str = field(repr=False)
    purpose: str
    spend_usd: int
    gas_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """Signed bytes (0x-hex) of a transaction and the fees they offer, wei per gas."""

    hash: str
    raw: str = field(repr=False)
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(NewAttempt):
    """An attempt as the journal holds it; ``broadcast_at`` is None until a node took it."""

    id: int
    transaction_id: int
    signed_at: int
    broadcast_at: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction(NewTransaction):
    """A transaction as the journal holds it, its attempts oldest first; block and gas once it is mined."""

    id: int
    replaces: int | None
    state: State
    block_number: int | None
    block_hash: str | None
    gas_used: int | None
    effective_gas_price: int | None
    error: str | None
    created_at: int
    updated_at: int
    attempts: tuple[Attempt, ...]
    decided_at: int | None = None
    """Its decision's block timestamp: what the limits of a day go by."""
