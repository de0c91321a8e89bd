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


def offer(base_fee: Wei, tip: Wei, ceiling: Wei | None) -> Fees | None:
    """Return fees that stay good while the base fee doubles, within ``ceiling``; None when the ceiling is too low."""
    wanted = tip + 2 * base_fee
    if ceiling is None or wanted <= ceiling:
        return Fees(Wei(wanted), tip)
    if base_fee + LEAST_TIP > ceiling:
        return None
    return Fees(ceiling, Wei(min(tip, ceiling - base_fee)))


def replacement(old: Fees, fresh: Fees, ceiling: Wei | None) -> Fees | None:
    """Return fees that replace an attempt at the same nonce: both at least 12.5 % up, or fresh if that is more.

    None when the ceiling forbids what nodes require (10 %; 12.5 % with a margin for rounding).
    """
    max_fee = max(fresh.max_fee, _raised(old.max_fee))
    tip = max(fresh.tip, _raised(old.tip))
    if ceiling is not None and max_fee > ceiling:
        return None
    return Fees(Wei(max_fee), Wei(tip))


def lowest(*ceilings: Wei | None) -> Wei | None:
    """Return the tightest of several fee limits, None when there is none."""
    return min((c for c in ceilings if c is not None), default=None)


def _raised(value: int) -> int:
    return -(-value * 9 // 8)
