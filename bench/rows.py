"""One measured figure: ours, what it is held against, and the bound the ratio must keep."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """Ours, run by run, against a peer (somebody else's way) or a floor (what nobody could go below).

    ``ratio`` is ours divided by the other, medians both. ``at_most`` bounds the ratio; ``most`` bounds ours.
    """

    name: str
    unit: str
    ours: Sequence[float]
    note: str
    peer: Sequence[float] = ()
    floor: Sequence[float] = ()
    at_most: float | None = None
    most: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else was measured with it, as it stands in the results."""

    @property
    def median(self) -> float:
        return statistics.median(self.ours)

    @property
    def other(self) -> float | None:
        found = self.peer or self.floor
        return statistics.median(found) if found else None

    @property
    def ratio(self) -> float | None:
        return self.median / self.other if self.other else None

    @property
    def faults(self) -> list[str]:
        """The bounds that were not kept."""
        found = []
        if self.at_most is not None and (self.ratio is None or self.ratio > self.at_most):
            found.append(f"{self.name}: ratio {self.ratio} is above {self.at_most}")
        if self.most is not None and self.median > self.most:
            found.append(f"{self.name}: {self.median:g} {self.unit} is above {self.most:g}")
        return found

    def data(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"ours": self.median}
        if self.other is not None:
            shown["peer" if self.peer else "floor"] = self.other
            shown["ratio"] = round(self.ratio or 0, 3)
        shown |= {"runs": len(self.ours), "min": min(self.ours), "median": self.median, "max": max(self.ours)}
        return shown | {"unit": self.unit, "note": self.note} | dict(self.more)
