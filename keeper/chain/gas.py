"""Gas limits: what a call is given, for what its rehearsal used."""

from __future__ import annotations

GAS_MARGIN_PERCENT = 60
"""Added to the rehearsed gas: refunds hide up to a fifth of what a call needs on its way, prices move the rest."""
GAS_LEAST = 60_000


def gas_limit(used: int) -> int:
    """Return the limit for a call whose rehearsal used so much gas."""
    return max(GAS_LEAST, used * (100 + GAS_MARGIN_PERCENT) // 100)
