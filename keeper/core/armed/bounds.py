"""Within which bounds a plan that was rehearsed beforehand still is what was rehearsed: a new state, the same promise.

Nothing is taken on trust from the time of arming: every figure that decides is worked out anew on the fresh account,
for loans in ``loan_bounds``, for perpetual positions in ``perp_bounds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from keeper.core.metrics import P
from keeper.core.snapshot import BlockRef
from keeper.core.units import BPS, Address, Bps

BLOCKS = 3
"""Blocks for which what was armed may be used."""


@dataclass(frozen=True, slots=True)
class Bounds(Generic[P]):
    """What a plan was armed on: block, position at that block's own prices, and from where to where each price may."""

    block: BlockRef
    position: P
    prices: Mapping[Address, tuple[int, int]]


class OutOfBoundsError(Exception):
    """Why a plan made ready may not go out as it is: it is rehearsed as usual."""


def price_bounds(
    armed: Mapping[Address, int], rung: Mapping[Address, int], step: Bps
) -> dict[Address, tuple[int, int]]:
    """Return from where to where each price may be: between the armed block's and the rung's, and a step around."""
    found = {}
    for asset, now in armed.items():
        low, high = min(now, rung[asset]), max(now, rung[asset])
        found[asset] = (low * (BPS - step) // BPS, -(-high * (BPS + step) // BPS))
    return found
