"""The journal as others know it: an open one is a History, and so is a fake in a test."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from keeper.journal.decisions import Decision, Doing, Entry, Json, Mode, NewDecision, OutcomeKind
from keeper.journal.facts import Turn
from keeper.journal.signed import Transaction


class DecisionStore(Protocol):
    """The journal's decisions."""

    async def record(self, decision: NewDecision) -> int:
        """Write a decision and return its id. Raises JournalError."""

    async def written(self, entry: Entry) -> int:
        """Write an entry unless it is written, and return its id. Raises JournalError."""

    async def record_hold(self, decision: NewDecision) -> int:
        """Write a hold and return its id; one that comes back may be counted where it was written."""

    async def record_outcome(self, decision_id: int, kind: OutcomeKind, outcome: Json) -> None:
        """Write what came of a decision. Raises JournalError."""

    async def last(self, position: str, rule: str | None = None) -> Decision | None:
        """Return the newest decision about a position. Raises JournalError."""

    async def last_restored_at(self, position: str, rule: str, mode: Mode = "live", doing: Doing = "act") -> int | None:
        """Return when a rule last reached its target. Raises JournalError."""

    async def prices_of_last_restored(self, position: str, rule: str, mode: Mode = "live") -> dict[str, int]:
        """Return the prices on which it was. Raises JournalError."""

    async def failed_since(self, position: str, rule: str, timestamp: int, doing: Doing = "act") -> int:
        """Return how many plans of a rule failed on chain since. Raises JournalError."""

    async def price_moved_since(self, position: str, rule: str, timestamp: int) -> int:
        """Return how many plans of a rule were refused for the price since. Raises JournalError."""


class TransactionStore(Protocol):
    """The journal's transactions."""

    async def own_of(self, hashes: Collection[str]) -> frozenset[str]:
        """Return which of these hashes were signed here. Raises JournalError."""

    async def recent(self, limit: int) -> tuple[Transaction, ...]:
        """Return the newest ones. Raises JournalError."""

    async def spent_usd(
        self, chain_id: int, *, since_timestamp: int, rule: str | None = None, mode: Mode = "live"
    ) -> int:
        """Return the dollars moved since. Raises JournalError."""

    async def gas_paid(self, chain_id: int, position: str, now: int, mode: Mode = "live") -> int:
        """Return the wei that plans about a position paid for gas since its danger began. Raises JournalError."""


class FactStore(Protocol):
    """The journal's small things to remember."""

    async def get(self, key: str) -> Any | None:
        """Return a value. Raises JournalError."""

    async def set(self, key: str, value: Any) -> None:
        """Remember a value; None forgets it. Raises JournalError."""

    async def change(self, keys: Sequence[str], turn: Turn) -> dict[str, Any]:
        """Turn values into others with nobody else in between; return all as they are then. Raises JournalError."""


class History(Protocol):
    """The journal: what was decided, signed and seen, kept through crashes and restarts."""

    @property
    def decisions(self) -> DecisionStore:
        """Decisions and their outcomes."""

    @property
    def transactions(self) -> TransactionStore:
        """What was signed."""

    @property
    def facts(self) -> FactStore:
        """Small things."""

    @property
    def tally(self) -> int:
        """How often this process wrote."""
