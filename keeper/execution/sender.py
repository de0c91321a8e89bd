"""What carries plans out, as the engine, executors and errands see it: a signer's lane, or paper in a back-test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from keeper.chain.accounts import Receipt
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.execution.course import Guidance
from keeper.execution.dispatch import Outgoing
from keeper.execution.holders import Holder
from keeper.execution.signer import Signs
from keeper.journal import Transaction


class Together(Protocol):
    """Who lets plans of one block go out as one burst: see ``convoy``."""

    def hold(self) -> None:
        """Let nothing new go out until ``release``."""

    def release(self) -> None:
        """All is decided that will be at this block."""

    def expect(self, task: asyncio.Task[Any], /) -> None:
        """Wait for what a task will send, or for its end."""


class Sender(Protocol):
    """Carries plans of one account out, one burst at a time."""

    @property
    def signer(self) -> Signs:
        """Who signs."""

    @property
    def holder(self) -> Holder:
        """The account that plans are carried out for."""

    @property
    def convoy(self) -> Together:
        """How plans of one block go out together."""

    @property
    def delegate(self) -> Address | None:
        """The contract that the account is delegated to (EIP-7702), as far as that is known."""

    @property
    def is_carrying(self) -> bool:
        """Whether a burst is on its way."""

    @property
    def is_pausing(self) -> bool:
        """Whether the burst on its way was looked at, and waits for another block."""

    def look_now(self) -> None:
        """A block came: look at what is on its way at once."""

    async def send(self, outgoing: Sequence[Outgoing], guidance: Guidance, /) -> tuple[Receipt, ...]:
        """Carry a burst to its end; return its receipts. Raises SendFailedError, PlanChangedError, NodeError."""

    async def of_decision(self, decision_id: int, /) -> tuple[Transaction, ...]:
        """Return what was signed for a decision, by nonce. Raises JournalError."""

    async def is_clear(self) -> bool:
        """Return whether nothing can land any more. Raises JournalError."""

    async def why_reverted(self, row: Transaction, receipt: Receipt, /) -> tuple[Reason, str]:
        """Return whether a revert was for the price or another's deed, and what the chain says of it."""

    async def make_ready(self, block: BlockRef, /) -> None:
        """Fetch what the next send needs. Raises NodeError, JournalError."""

    async def warm_up(self, delegate: Address | None, /) -> None:
        """Do ahead what the first signature would do. Raises JournalError."""

    def ready_nonce(self, decided_at: BlockRef, /) -> int | None:
        """Return the nonce that is ready for what is decided at a block; None where the node would be asked first."""
