"""The fake behind the engine's journal: rows in memory, and what the engine asks of them.

The real one answers the same from a database; ``tests/backtest/test_memory.py`` holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from keeper.journal.decisions import (
    NO_FAULT_OF_THE_PLAN,
    PRICE_MOVED,
    Decision,
    Doing,
    Entry,
    Mode,
    NewDecision,
    prices_written,
)
from keeper.journal.facts import Turn
from keeper.journal.signed import Transaction
from keeper.journal.transactions import CALM_S, LONGEST_DANGER_S


@dataclass(slots=True)
class DecisionRow:
    """A decision, and what came of it."""

    made: NewDecision
    kind: str | None = None
    outcome: Any = None
    spends: list[tuple[int, int]] = field(default_factory=list)
    """Of each call that was mined or may be: the dollars the limits count, and the wei it paid for gas."""


@dataclass(slots=True)
class PaperJournal:
    """Decisions, what was sent for them, and facts."""

    rows: list[DecisionRow] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    """Hashes of what was sent."""
    tally: int = 0

    @property
    def decisions(self) -> PaperJournal:
        """Itself."""
        return self

    @property
    def transactions(self) -> PaperJournal:
        """Itself."""
        return self

    @property
    def facts(self) -> PaperJournal:
        """Itself."""
        return self

    async def record(self, decision: NewDecision) -> int:
        """Write a decision and return its id."""
        self.tally += 1
        self.rows.append(DecisionRow(decision))
        return len(self.rows)

    async def written(self, entry: Entry) -> int:
        """Write an entry unless it is written, and return its id."""
        if entry.id is None:
            entry.id = await self.record(entry.decision)
        return entry.id

    async def record_hold(self, decision: NewDecision) -> int:
        """Write nothing: nothing is asked about holds."""
        return 0

    async def record_outcome(self, decision_id: int, kind: str, outcome: Any) -> None:
        """Write what came of a decision."""
        self.tally += 1
        row = self.rows[decision_id - 1]
        row.kind, row.outcome = kind, outcome

    async def last(self, position: str, rule: str | None = None) -> Decision | None:
        """Return nothing: nobody shows it."""
        return None

    def _done(self, position: str, rule: str, mode: Mode, doing: Doing) -> Iterator[DecisionRow]:
        for row in self.rows:
            of = row.made
            if (of.position, of.rule, of.mode, of.kind) == (position, rule, mode, doing):
                yield row

    async def last_restored_at(self, position: str, rule: str, mode: Mode = "live", doing: Doing = "act") -> int | None:
        """Return when a rule last reached its target."""
        reached = "restored" if mode == "live" else "rehearsed"
        times = [r.made.block_timestamp for r in self._done(position, rule, mode, doing) if r.kind == reached]
        return max(times, default=None)

    async def prices_of_last_restored(self, position: str, rule: str, mode: Mode = "live") -> dict[str, int]:
        """Return the prices on which it was."""
        reached = "restored" if mode == "live" else "rehearsed"
        found = [r for r in self._done(position, rule, mode, "act") if r.kind == reached]
        if not found:
            return {}
        inputs: Any = max(found, key=lambda row: row.made.block_timestamp).made.inputs
        return prices_written(inputs["position"])

    async def failed_since(self, position: str, rule: str, timestamp: int, doing: Doing = "act") -> int:
        """Return how many plans of a rule failed since, and through a fault of their own."""
        failed = self._ended(position, rule, timestamp, doing, ("failed",))
        return sum((row.outcome or {}).get("reason") not in NO_FAULT_OF_THE_PLAN for row in failed)

    async def price_moved_since(self, position: str, rule: str, timestamp: int) -> int:
        """Return how many the price refused or cut short."""
        short = self._ended(position, rule, timestamp, "act", ("failed", "partial"))
        return sum((row.outcome or {}).get("reason") == PRICE_MOVED for row in short)

    def _ended(
        self, position: str, rule: str, since: int, doing: Doing, kinds: Collection[str]
    ) -> Iterator[DecisionRow]:
        for row in self._done(position, rule, "live", doing):
            if row.made.block_timestamp >= since and row.kind in kinds and row.spends:
                yield row

    async def own_of(self, hashes: Collection[str]) -> frozenset[str]:
        """Return which of these hashes are of what was sent here."""
        return frozenset(self.own & set(hashes))

    async def recent(self, limit: int) -> tuple[Transaction, ...]:
        """Return nothing: nobody shows it."""
        return ()

    async def spent_usd(
        self, chain_id: int, *, since_timestamp: int, rule: str | None = None, mode: Mode = "live"
    ) -> int:
        """Return the dollars moved since."""
        found = (r for r in self.rows if r.made.block_timestamp >= since_timestamp and rule in (None, r.made.rule))
        return sum(spend for row in found for spend, _ in row.spends)

    async def gas_paid(self, chain_id: int, position: str, now: int, mode: Mode = "live") -> int:
        """Return the wei that plans about a position paid for gas since its danger began."""
        acts = [r for r in self.rows if r.made.position == position and r.spends]
        total, until = 0, now
        for row in sorted(acts, key=lambda r: r.made.block_timestamp, reverse=True):
            at = row.made.block_timestamp
            if until - at > CALM_S or now - at > LONGEST_DANGER_S:
                break
            total, until = total + sum(wei for _, wei in row.spends), at
        return total

    async def get(self, key: str) -> Any | None:
        """Return a value."""
        return self.kept.get(key)

    async def set(self, key: str, value: Any) -> None:
        """Remember a value; None forgets it."""
        self.kept[key] = value

    async def change(self, keys: Sequence[str], turn: Turn) -> dict[str, Any]:
        """Turn values into others; return all as they are then."""
        self.kept |= turn({key: self.kept.get(key) for key in keys})
        return {key: self.kept.get(key) for key in keys}
