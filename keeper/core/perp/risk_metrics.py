"""What looking ahead asks of a perpetual position (``core.ahead``), by the price history of each market's index."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from keeper.core.ahead import PROBABILITY, Foresight
from keeper.core.metrics import Subject, Target
from keeper.core.perp import margin as perps
from keeper.core.perp.position import FACTOR, PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import DAY_S, USD, WAD, Address, Wad, mul_div_up

if TYPE_CHECKING:
    from keeper.core.risk.stance import Stance

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


def _probability_at(p: PerpPosition | None, target: Target[PerpPosition]) -> int | None:
    """Return the probability at a target; at any other target than its own what it is once that is met."""
    if target.metric.key == PROBABILITY:
        return target.value
    if target.is_close:
        return 0
    if p is None:
        return None
    found = probability_of(p, target.of.window_s or DAY_S)
    return None if found is None or isinstance(found, Doubt) else found if target.is_met(p) else 0


def exposures(p: PerpPosition) -> dict[Address, int]:
    """Return what of each asset is the owner's own, dollars; below zero where it is sold. Margin in kind counts."""
    own = dict[Address, int]()
    for leg in p.held:
        size = perps.notional(leg) * USD // p.usd_unit
        own[leg.oracle.asset] = own.get(leg.oracle.asset, 0) + (size if leg.is_long else -size)
    if p.indexed_margin:
        asset = p.legs[0].oracle.asset
        own[asset] = own.get(asset, 0) + (perps.margin_value(p) - p.margin) * USD // p.usd_unit
    return own


def loss_at(p: PerpPosition, move: int) -> int | None:
    """Return what is lost if every price moves against it by a share (Wad) at once, dollars rounded up.

    The worse of a fall and a rise; all that is left where that liquidates: what a venue gives back is not counted on.
    """
    if not p.held:
        return None
    worth = max(0, perps.equity(p))
    lost = max(lost_at(p, WAD - move), lost_at(p, WAD + move))
    return -(-min(worth, lost) * USD // p.usd_unit)


def lost_at(p: PerpPosition, factor: int) -> int:
    """Return what is lost with every price at so much of itself (Wad), in its own unit; a gain below zero."""
    then = p
    for leg in p.held:
        then = perps.at_price(then, leg.market, max(1, leg.mark_price * factor // WAD))
    if perps.is_liquidatable(then):
        return perps.equity(p)
    return perps.equity(p) - perps.equity(then)


def ahead_of(
    asset: Callable[[PerpPosition, Subject], Address | Doubt | None],
    is_short: Callable[[PerpPosition, Subject], bool],
    exits: tuple[str, ...],
) -> Foresight[PerpPosition]:
    """Return what looking ahead asks of a perpetual, given how an owner's names are understood."""
    return Foresight(
        market=lambda p: p.market,
        own=lambda p: (exposures(p), perps.equity(p) * USD // p.usd_unit),
        asset=asset,
        is_short=is_short,
        stressed=loss_at,
        probability=probability_of,
        probability_at=_probability_at,
        named="market",
        if_unnamed="the one market with a size",
        stress="What is lost if every market moves against it by `fall` at once, up or down, in dollars, rounded up; "
        "all that is left of its margin where that liquidates it. Needs no price history.",
        exits=exits,
    )


def unknown_ratio(target: Target[PerpPosition]) -> Doubt | None:
    """Return that nobody knows which margin a target takes; None for a target that says it itself."""
    if not target.metric.looks_ahead:
        return None
    return Doubt(Reason.HISTORY_SHORT, "how much margin that takes is not known: the price history says too little")
