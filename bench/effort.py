"""How much is measured: the full run, or a quick one to see that all of it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """``runs(n)`` is how often something is repeated that the full run repeats ``n`` times."""

    is_quick: bool = False

    def runs(self, full: int) -> int:
        return max(3, full // 5) if self.is_quick else full
