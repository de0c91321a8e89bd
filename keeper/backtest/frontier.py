"""What a sweep shows: each setting over all accounts, and which of them none beats. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """One setting over all accounts: which share survived, and what keeping and losing cost on the mean, in dollars."""

    setting: str
    survived: float
    kept_usd: float
    lost_usd: float
    actions: float


def marks(rows: Sequence[Data]) -> list[Mark]:
    """Return every setting, in their order."""
    by = dict[str, list[Data]]()
    for row in rows:
        by.setdefault(row["setting"], []).append(row)
    return [
        Mark(
            name,
            sum(r["survived"] for r in of) / len(of),
            sum(float(r["kept_usd"]) for r in of) / len(of),
            sum(float(r["lost_usd"]) for r in of) / len(of),
            sum(r["actions"] for r in of) / len(of),
        )
        for name, of in by.items()
    ]


def frontier(of: Sequence[Mark]) -> list[Mark]:
    """Return the settings that none beats: nobody survives as often for less. The cheapest first."""
    found = list[Mark]()
    for mark in sorted(of, key=lambda m: (m.kept_usd, -m.survived)):
        if not found or mark.survived > found[-1].survived:
            found.append(mark)
    return found
