"""What a transaction should offer: pure functions over the fee market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.units import Wei

LEAST_TIP = Wei(10**7)
"""0.01 gwei: below this a transaction may wait for many blocks."""


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 fees of one attempt, per gas."""

    max_fee: Wei
    tip: Wei

    @property
    def is_valid(self) -> bool:
        """Whether a node would accept the pair."""
        return 0 < self.tip <= self.max_fee


def usual_tip(rewards: Sequence[Sequence[int]]) -> Wei:
    """Return the median of what recent blocks' medians paid (eth_feeHistory rewards), at least ``LEAST_TIP``."""
    paid = sorted(block[0] for block in rewards if block)
    return Wei(max(LEAST_TIP, paid[len(paid) // 2])) if paid else LEAST_TIP


def is_payable(base_fee: Wei, ceiling: Wei | None) -> bool:
    """Return whether anything could be mined at a base fee within a ceiling."""
    return ceiling is None or base_fee + LEAST_TIP <= ceiling


def lowest(*ceilings: Wei | None) -> Wei | None:
    """Return the tightest of several fee limits, None when there is none."""
    return min((c for c in ceilings if c is not None), default=None)


def raised(value: int) -> int:
    """Return an eighth more, rounded up: what a replacement must offer at least."""
    return -(-value * 9 // 8)
