"""What the keeper did, read from its journal while it runs, in words for the live view."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from keeper.core.reasons import Reason
from keeper.journal import Decision, Journal, JournalError, open_journal

LIMIT = 60
HASH = re.compile(r" ?\(0x[0-9a-f]{64}\)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision worth telling: when (chain time), in words, and whether it went as meant (None: not known yet)."""

    timestamp: int
    text: str
    went_well: bool | None


class Diary:
    """Reads a journal that another process writes; `tell` puts a decision in words, `told` unless another is given."""

    def __init__(self, file: Path, tell: Callable[[Decision], Entry | None] | None = None) -> None:
        self._file, self._tell = file, tell or told
        self._runner = asyncio.Runner()
        self._journal: Journal | None = None
        self._last: list[Entry] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._journal is not None:
            self._runner.run(self._journal.close())
        self._runner.close()

    def entries(self) -> list[Entry]:
        """Oldest first. While the journal cannot be read, what was read before."""
        with contextlib.suppress(JournalError):
            self._last = self._runner.run(self._read())
        return self._last

    async def _read(self) -> list[Entry]:
        if self._journal is None:
            self._journal = await open_journal(str(self._file))
        newest_first = await self._journal.decisions.recent(LIMIT)
        entries = [entry for decision in reversed(newest_first) if (entry := self._tell(decision))]
        return [new for old, new in pairwise([None, *entries]) if new and (old is None or old.text != new.text)]


def told(decision: Decision) -> Entry | None:
    """None for a quiet hold."""
    if decision.kind == "hold":
        return None
    if decision.kind != "act" or not isinstance(decision.plan, dict):
        return Entry(decision.block_timestamp, _why_held(decision.summary), went_well=False)
    deed, before = _deed(decision.plan), _health(decision.plan["before"])
    outcome: Any = decision.outcome
    if outcome is None:
        return Entry(decision.block_timestamp, f"health {before}: {deed} …", went_well=None)
    after = _health(outcome["after"]) if outcome["after"] else "?"
    text = f"health {before} → {after}: {deed}"
    if decision.outcome_kind in ("restored", "partial"):
        all_it_could = ", all that was possible" if decision.outcome_kind == "partial" else ""
        return Entry(decision.block_timestamp, text + all_it_could, went_well=True)
    why = HASH.sub("", outcome["detail"])
    return Entry(decision.block_timestamp, f"{text}; {outcome['reason']}: {why}", went_well=False)


def _why_held(summary: str) -> str:
    in_doubt = Reason.DOUBTFUL_PRICE.short
    return f"waits: {in_doubt if in_doubt in summary else summary.partition(':')[0]}"


def _deed(plan: dict[str, Any]) -> str:
    """The steps in few words: sold 2.43 WETH, repaid 4,712 USDC."""
    totals: dict[tuple[str, str], Decimal] = {}
    for step in plan["steps"]:
        verb = {"Swap": "sell", "Repay": "repay", "Supply": "supply", "RepayWithCollateral": "repay"}.get(step["move"])
        if verb is None:
            continue
        key = verb, step["asset"]
        totals[key] = totals.get(key, Decimal(0)) + Decimal(0 if step["amount"] == "all" else step["amount"])
    return ", ".join(f"{verb} {_amount(total)} {asset}" for (verb, asset), total in totals.items()) or plan["label"]


def _amount(value: Decimal) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _health(figures: dict[str, Any]) -> str:
    return "∞" if figures["health_factor"] is None else f"{Decimal(figures['health_factor']):.2f}"
