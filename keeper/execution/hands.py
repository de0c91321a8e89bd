"""Whether the contracts that held money while a call ran are left as they were: what stays in them is anybody's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from keeper.core.units import Address
from keeper.execution.bundles import LOST_IN_ROUNDING
from keeper.venues.contracts.transfers import Transfer


def kept(hands: Collection[Address], moved: Iterable[Transfer]) -> str | None:
    """Return what came into a hand and did not leave it, in words; None where nothing did.

    Rounding of a market's own tokens may leave a smallest unit or two.
    """
    left = Counter[tuple[Address, Address]]()
    for one in moved:
        left[one.receiver, one.token] += one.amount
        left[one.giver, one.token] -= one.amount
    found = [(at, token, n) for (at, token), n in left.items() if at in hands and n > LOST_IN_ROUNDING]
    return ", ".join(f"{amount} of {token} stays with {at}" for at, token, amount in found) or None


def is_seen(hands: Collection[Address], moved: Iterable[Transfer]) -> bool:
    """Return whether anything went through the hands: a node that shows no logs proves nothing."""
    return any(one.receiver in hands for one in moved)
