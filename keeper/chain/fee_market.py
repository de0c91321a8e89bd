"""The fee market as several blocks and several nodes have it, and the most that is ever paid, whatever one says.

A base fee moves by an eighth a block at most on most chains, so what ten blocks had bounds what the next may ask. What
one node says of one block bounds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.chain.client import Upstream, each
from keeper.chain.errors import NodeError
from keeper.chain.fees import LEAST_TIP, usual_tip
from keeper.chain.tolls import NO_TOLL, Toll
from keeper.core.units import Wei
from keeper.venues.codec.quantities import MOST_WEI, quantity

BLOCKS = 10
"""Blocks whose base fees and tips are asked for."""
MOST_TIMES = 10
"""Times the usual base fee that is ever paid: an offer doubles it, and what is left is for tips in a rush."""
MOST_AT_LEAST = Wei(50 * 10**9)
"""50 gwei, where base fees are next to nothing: some chains want a tip of 25 or 30."""
NEVER_ABOVE = Wei(10_000 * 10**9)
"""10,000 gwei: no chain has asked for more."""
FIRST_TIP = Wei(2 * 10**9)
"""2 gwei: a first offer tips at most this, or as much as the base fee where that is more."""
ENOUGH_SEEN = 4
"""Blocks of our own memory that make it a witness."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one node says of recent blocks: their base fees, and the tip that was usual; None where it cannot say."""

    base_fees: tuple[int, ...] = ()
    tip: Wei | None = None


@dataclass(frozen=True, slots=True)
class FeeMarket:
    """What an offer is made from. ``most`` is the highest fee per gas that is ever signed: the built-in cap."""

    base_fee: Wei
    """Of the newest block, or of the block a plan was made for."""
    tip: Wei
    usual: Wei
    """The base fee of recent blocks, by most witnesses."""
    most: Wei
    toll: Toll = NO_TOLL
    """What a rollup charges for its parent chain."""

    @property
    def first_tip(self) -> Wei:
        """What a first offer tips: what is usual, but near the market whatever a node says. Higher offers climb."""
        return Wei(min(self.tip, max(self.usual, FIRST_TIP)))


def judged(base_fee: Wei, words: Sequence[Word], seen: Sequence[int] = ()) -> FeeMarket:
    """Return the market by what nodes say and by what we saw ourselves (``seen``: base fees of recent heads).

    Each witness speaks with the median of its blocks, and of the witnesses the lower median is believed: one that
    exaggerates alone moves nothing.
    """
    witnesses = [_middle(word.base_fees) for word in words if word.base_fees]
    if len(seen) >= ENOUGH_SEEN or (seen and not witnesses):
        witnesses.append(_middle(seen))
    usual = _middle(witnesses) if witnesses else base_fee
    tips = [word.tip for word in words if word.tip is not None]
    tip = _middle(tips) if tips else LEAST_TIP
    most = min(NEVER_ABOVE, max(MOST_AT_LEAST, MOST_TIMES * usual))
    return FeeMarket(base_fee, Wei(max(LEAST_TIP, tip)), Wei(usual), Wei(most))


async def read(node: Upstream, base_fee: Wei, seen: Sequence[int] = ()) -> FeeMarket:
    """Return the market, asking every node that reads. One that has no fee history has no say; no answer is none."""
    try:
        words = await each(node, _word, "eth_feeHistory", hex(BLOCKS), "latest", [50])
    except NodeError:
        words = []
    return judged(base_fee, words, seen)


def _word(_: str, history: Any) -> Word:
    try:
        rewards = [[quantity(r, MOST_WEI) for r in block] for block in history.get("reward") or []]
        base_fees = tuple(quantity(fee, MOST_WEI) for fee in history.get("baseFeePerGas") or [])
    except (AttributeError, TypeError, ValueError):
        return Word()
    return Word(base_fees, usual_tip(rewards) if any(rewards) else None)


def _middle(values: Sequence[int]) -> int:
    """Return the lower median."""
    return sorted(values)[(len(values) - 1) // 2]
