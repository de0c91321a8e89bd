"""How often a price jumps, and how far: moves that its usual ones of the time before do not explain. Pure.

The test is Lee & Mykland's (2008): each move over the bipower volatility of the moves before it (Barndorff-Nielsen &
Shephard 2004), which a jump hardly raises, against the largest that a path without jumps would show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from keeper.core.prices import Doubt
from keeper.core.risk.series import YEAR_S
from keeper.core.risk.volatility import known, unknown

WINDOW = 78
"""Moves before that say what is usual."""
SURE = 0.01
"""How probable it may be that a path without jumps shows one, over all of its moves."""
_MEAN_SIZE = math.sqrt(2 / math.pi)


@dataclass(frozen=True, slots=True)
class Jumps:
    """What jumps are like: a year's count, the share that goes up, mean sizes of log moves, and the rest's volatility.

    Kou's parameters (2002): η₁ = 1 / ``up``, η₂ = 1 / ``down``.
    """

    a_year: float
    share_up: float
    up: float
    down: float
    diffusion: float
    """The volatility of the moves that are no jumps."""
    count: int


def found(moves: Sequence[float], step_s: int) -> Jumps | Doubt:
    """Return the jumps among moves of equal times; a Doubt where they are few, are no numbers or stand still.

    A side of which no jump was seen has the mean size of the other: what was not seen yet is not impossible.
    """
    if step_s <= 0 or len(moves) < 2 * WINDOW:
        return unknown(f"{len(moves)} moves of {step_s} s, {2 * WINDOW} are needed to know a jump")
    if not all(math.isfinite(move) for move in moves):
        return unknown("a move of the price is no number")
    places = _places(moves)
    jumps = [moves[i] for i in places]
    rest = [move for i, move in enumerate(moves) if i not in places]
    diffusion = known(sum(move * move for move in rest) * YEAR_S / (step_s * len(rest)))
    if isinstance(diffusion, Doubt):
        return diffusion
    ups, downs = [j for j in jumps if j > 0], [-j for j in jumps if j < 0]
    both = sum(ups) + sum(downs)
    usual = both / len(jumps) if jumps else 0.0
    return Jumps(
        a_year=len(jumps) * YEAR_S / (step_s * (len(moves) - WINDOW)),
        share_up=len(ups) / len(jumps) if jumps else 0.5,
        up=sum(ups) / len(ups) if ups else usual,
        down=sum(downs) / len(downs) if downs else usual,
        diffusion=diffusion,
        count=len(jumps),
    )


def _places(moves: Sequence[float]) -> frozenset[int]:
    """Return where the jumps are: beyond the quantile of the largest of so many moves (Gumbel)."""
    bound = _bound(len(moves) - WINDOW)
    summed = (0.0, *accumulate(abs(a) * abs(b) for a, b in pairwise(moves)))

    def usual(i: int) -> float:
        return math.sqrt(max(0.0, summed[i - 1] - summed[i - WINDOW + 1]) / (WINDOW - 2))

    return frozenset(i for i in range(WINDOW, len(moves)) if usual(i) > 0 and abs(moves[i]) > bound * usual(i))


def _bound(count: int) -> float:
    root = math.sqrt(2 * math.log(count))
    centre = root / _MEAN_SIZE - (math.log(math.pi) + math.log(math.log(count))) / (2 * _MEAN_SIZE * root)
    return centre - math.log(-math.log(1 - SURE)) / (_MEAN_SIZE * root)
