"""What the journal knows of a rule, kept in memory while nothing is written: an acting block asks the disk nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from keeper.journal.decisions import Doing, Mode
from keeper.journal.ports import History

DAY_S = 86_400
KEPT_S = 120
"""Seconds of chain time for which a past is kept: the windows of a day and of failures move on."""


@dataclass(frozen=True, slots=True)
class Past:
    """One rule's past as of a block: when it last reached its target, failures that still count, dollars of a day."""

    read_at: int
    acted_at: int | None
    failed: int
    spent: int
    prices: dict[str, int]
    """Prices on which it last acted with success, by asset."""
    gas_paid: int = 0
    """Wei that plans about the position have paid for gas since its danger began."""
    outrun: int = 0
    """Plans that were refused for the price, of those that would still count."""


@dataclass(slots=True)
class Recollection:
    """Pasts by position and rule. One that is kept was read at an earlier block, and so counts no less than it must."""

    journal: History
    mode: Mode
    _kept: dict[tuple[str, str, Doing], Past] = field(default_factory=dict)
    _tally: int = -1

    async def of(
        self, position: str, rule: str, chain_id: int, now: int, failures_count_s: int, doing: Doing = "act"
    ) -> Past:
        """Return the past of a rule, or of the upkeep for it, at block time ``now``. Raises JournalError."""
        tally = self.journal.tally
        if tally != self._tally:
            self._kept, self._tally = {}, tally
        key = (position, rule, doing)
        kept = self._kept.get(key)
        if kept is None or not 0 <= now - kept.read_at <= KEPT_S:
            found = await self._read(position, rule, chain_id, now, failures_count_s, doing)
            if self.journal.tally != tally:
                return found
            self._kept[key] = kept = found
        return kept

    def forget(self) -> None:
        """Read anew when asked next."""
        self._kept = {}

    async def _read(
        self, position: str, rule: str, chain_id: int, now: int, failures_count_s: int, doing: Doing
    ) -> Past:
        decisions = self.journal.decisions
        return Past(
            now,
            await decisions.last_restored_at(position, rule, self.mode, doing),
            await decisions.failed_since(position, rule, now - failures_count_s, doing),
            await self.journal.transactions.spent_usd(chain_id, since_timestamp=now - DAY_S, rule=rule, mode=self.mode),
            await decisions.prices_of_last_restored(position, rule, self.mode) if doing == "act" else {},
            await self.journal.transactions.gas_paid(chain_id, position, now, self.mode),
            await decisions.price_moved_since(position, rule, now - failures_count_s) if doing == "act" else 0,
        )
