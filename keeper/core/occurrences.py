"""What a venue's own events say happened to an account. Plain data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from keeper.core.units import Address, Amount


class What(Enum):
    """What happened, as a past participle."""

    LIQUIDATED = "liquidated"
    DELEVERAGED = "auto-deleveraged"
    SUPPLIED = "supplied"
    WITHDRAWN = "withdrawn"
    BORROWED = "borrowed"
    REPAID = "repaid"
    TRADED = "traded"

    @property
    def is_forced(self) -> bool:
        """Whether the venue did it and nobody's wish."""
        return self in (What.LIQUIDATED, What.DELEVERAGED)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One event: ``words`` say it with amounts and symbols; ``moved`` are the amounts by asset, if any."""

    what: What
    words: str
    block: int
    transaction: str
    order: str = ""
    """The key of the order that did it, where the venue has orders."""
    moved: tuple[tuple[Address, Amount], ...] = ()


def strangers(found: Sequence[Occurrence], own: Collection[str]) -> tuple[Occurrence, ...]:
    """Return what neither a transaction nor an order of ours did; what the venue forced is nobody's."""
    return tuple(o for o in found if o.what.is_forced or not {o.transaction, o.order} & set(own))
