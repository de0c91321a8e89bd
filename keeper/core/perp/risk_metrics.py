"""Triggers on perpetual positions that look ahead: how probable liquidation is, how much a market moves.

They rest on the price history of each market's index. Without one, or with too little of it, they measure nothing and
say so. What they are made of is loaded when a rule first asks: most keepers have none of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from keeper.core.metrics import Metric, Subject, Target
from keeper.core.perp import margin as perps
from keeper.core.perp.position import FACTOR, PerpLeg, PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.scales import Beyond, Range, Unit, percent, plain
from keeper.core.trail import LookBack
from keeper.core.units import DAY_S, WAD, Wad, mul_div_up

if TYPE_CHECKING:
    from keeper.core.risk.stance import Stance

KEY = "liquidation_probability"
_SEARCHES = 34
"""Halvings of a margin ratio that is looked for: to a billionth."""
_MOST_RATIO = 10 * WAD


def stance_of(p: PerpPosition) -> Stance | Doubt | None:
    """Return how a position's margin moves; None where nothing can liquidate it."""
    from keeper.core.risk.stance import perp_stance  # noqa: PLC0415 - for rules that look ahead

    return perp_stance(p, p.market)


def volatility_of_margin(p: PerpPosition, _: Subject) -> int | Doubt | None:
    """Return how much what secures a position moves in a year, Wad rounded up; None where nothing liquidates it."""
    found = stance_of(p)
    return found if found is None or isinstance(found, Doubt) else math.ceil(found.volatility * WAD)


def volatility_of_leg(p: PerpPosition, leg: PerpLeg) -> int | Doubt:
    """Return how much the price of a market moves in a year, Wad rounded up."""
    from keeper.core.risk.volatility import unknown  # noqa: PLC0415 - for rules that look ahead

    if p.market is None:
        return unknown("no price history was read")
    moved = p.market.movement(leg.oracle.asset)
    found = moved if isinstance(moved, Doubt) else moved.volatility
    return found if isinstance(found, Doubt) else math.ceil(found * WAD)


def probability_of(p: PerpPosition, horizon_s: int) -> int | Doubt | None:
    """Return how probable liquidation is within a time, Wad rounded up; None without a size."""
    from keeper.core.risk.stance import probability  # noqa: PLC0415 - for rules that look ahead
    from keeper.core.risk.volatility import unknown  # noqa: PLC0415 - likewise

    if not p.held:
        return None
    if p.market is None:
        return unknown("no price history was read")
    if perps.is_liquidatable(p):
        return WAD
    found = stance_of(p)
    if found is None:
        return 0  # its margin pays for whatever the price does
    share = found if isinstance(found, Doubt) else probability(found, horizon_s)
    return share if isinstance(share, Doubt) else math.ceil(share * WAD)


def ratio_for(p: PerpPosition, target: Target[PerpPosition]) -> Wad | None:
    """Return the least margin ratio at which liquidation is no more probable than a target says; None if unknown.

    The size is what it is, and margin is added; a smaller size with the same margin comes to the same ratio.
    """
    whole, worth, horizon_s = perps.basis(p), perps.equity(p), target.of.window_s or DAY_S

    def share(ratio: int) -> int | Doubt | None:
        more = mul_div_up(whole, ratio, WAD) - worth
        return probability_of(replace(p, margin=p.margin + more), horizon_s)

    low, high = p.maintenance * WAD // FACTOR, _MOST_RATIO
    for _ in range(_SEARCHES):
        middle = (low + high) // 2
        found = share(middle)
        if found is None or isinstance(found, Doubt):
            return None
        low, high = (middle, high) if found > target.value else (low, middle)
    return Wad(high)


def _odd_probability(_: Beyond, bound: int) -> str | None:
    if bound < WAD // 2:
        return None
    return f'a probability of {plain(bound)} is {percent(bound)}: too late; 1 % is "0.01"'


def _probability_at(p: PerpPosition | None, target: Target[PerpPosition]) -> int | None:
    """Return the probability at a target; at any other target than its own what it is once that is met."""
    if target.metric.key == KEY:
        return target.value
    if target.is_close:
        return 0
    if p is None:
        return None
    found = probability_of(p, DAY_S)
    return None if found is None or isinstance(found, Doubt) else found if target.is_met(p) else 0


def probability_metric(measure: Callable[[PerpPosition, int], int | Doubt | None]) -> Metric[PerpPosition]:
    """Return the metric, measured by a function of a position and a horizon."""

    def measured(p: PerpPosition, _: LookBack, of: Subject) -> int | Doubt | None:
        return measure(p, of.window_s or DAY_S)

    return Metric(
        key=KEY,
        words="probability of liquidation",
        summary="How probable liquidation is within `horizon`, by the price history of its markets and what funding "
        "takes, rounded up: the larger of what prices that move and prices that jump make of it. Unknown until a day "
        "of prices was read, and where they say nothing for days.",
        unit=Unit.SHARE,
        sides=(Beyond.ABOVE,),
        measure=measured,
        at_target=_probability_at,
        risk=Beyond.ABOVE,
        valid=Range.SHARE,
        valid_target=Range.SHARE,
        odd=_odd_probability,
        window_s=DAY_S,
        parts=("probability", "horizon"),
        looks_ahead=True,
        figure=percent,
    )


LIQUIDATION_PROBABILITY = probability_metric(probability_of)


def unknown_ratio(target: Target[PerpPosition]) -> Doubt | None:
    """Return that nobody knows which margin a target takes; None for a target that says it itself."""
    if not target.metric.looks_ahead:
        return None
    return Doubt(Reason.HISTORY_SHORT, "how much margin that takes is not known: the price history says too little")
