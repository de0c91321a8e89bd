"""A position that ``keeper init`` found, in words: what it is, which rules are proposed, what they are fitted to."""

from __future__ import annotations

import math
from typing import Any

from keeper.core.lending.position import LendingPosition
from keeper.core.notices import printable
from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt
from keeper.core.scales import percent
from keeper.core.snapshot import Unreadable
from keeper.core.starter import Starter, starter_of
from keeper.core.units import WAD, decimal_of, ratio_text
from keeper.service.census import Found
from keeper.settings.draft import MEASURE, shown

Data = dict[str, Any]


def lines(one: Found) -> list[str]:
    """Return what is proposed for a position, and what could stand beside it."""
    if isinstance(one.seen, Unreadable):
        return []
    return [_proposed(one), *filter(None, [moves(one)]), *_second_lines(one)]


def _second_lines(one: Found) -> list[str]:
    """Return what could rest with the market as a second line, while no keeper runs; to let it is the owner's act."""
    loan = one.seen
    of = [line for line in loan.second_lines if line.is_known] if isinstance(loan, LendingPosition) else []
    what = {True: "is let act", False: "is not let act: that would be an act of your own"}
    return [
        f"second line {x.contract}: sells a part below health {ratio_text(x.begins_at)}, with or without a keeper; it "
        + what[x.is_let]
        for x in of
    ]


def data(one: Found) -> Data:
    """Return a position for ``--json``."""
    is_read = not isinstance(one.seen, Unreadable)
    bounds = starter(one) if is_read else None
    position = one.position
    return {
        "name": position.name,
        "venue": position.venue,
        "market": position.market,
        "collateral": position.collateral,
        "side": None if position.is_long is None else "long" if position.is_long else "short",
        "seen": seen(one),
        "readable": is_read,
        "warn_at_distance": shown(bounds.warn) if bounds else None,
        "rescue_below": shown(bounds.act) if bounds else None,
        "restore": shown(bounds.restore) if bounds else None,
        "volatility_a_year": decimal_of(one.volatility, 18, 4) if isinstance(one.volatility, int) else None,
        "volatility_unknown": one.volatility.detail if isinstance(one.volatility, Doubt) else None,
    }


def starter(one: Found) -> Starter | None:
    """Return the bounds that are proposed; None where nothing can be liquidated."""
    return starter_of(_read(one), one.volatility if isinstance(one.volatility, int) else None)


def moves(one: Found) -> str:
    """Return what the bounds are fitted to beside the distance; nothing where nothing can be liquidated."""
    if one.volatility is None:
        return ""
    if isinstance(one.volatility, Doubt):
        return printable(f"Fitted to its distance from liquidation alone: {one.volatility.detail}.")
    day = one.volatility * WAD // math.isqrt(365 * WAD * WAD)
    year = _whole(one.volatility)
    return f"Its prices move about {percent(day)} a day, {year} a year; the bounds are fitted to that."


def _whole(share: int) -> str:
    return percent(share).replace(".00", "")


def _proposed(one: Found) -> str:
    """Return the rules that are written for a position, in a line."""
    bounds = starter(one)
    if bounds is None:
        return "nothing can be liquidated: no rule is proposed"
    what = MEASURE[one.position.family].replace("_", " ")
    now = " (it begins at once with --live)" if bounds.fires_now else ""
    return (
        f"warns {_whole(bounds.warn)} from liquidation; rescues below {what} {shown(bounds.act)}{now}, "
        f"to {shown(bounds.restore)}"
    )


def _read(one: Found) -> LendingPosition | PerpPosition:
    assert not isinstance(one.seen, Unreadable)  # noqa: S101 - asked for what was read only
    return one.seen


def seen(one: Found) -> str:
    """Return a position in one line; symbols are a token's own words, so they are made printable."""
    found = one.seen
    if isinstance(found, Unreadable):
        return printable(f"could not be read: {found.doubt.detail}")
    if isinstance(found, PerpPosition):
        legs = [f"{decimal_of(leg.size, len(str(leg.size_unit)) - 1, 4)} {leg.symbol}" for leg in found.held]
        ratio = ratio_text(perps.margin_ratio(found))
        return printable(f"margin ratio {ratio}: {', '.join(legs)}" if legs else "margin only, nothing open")
    supplied = [f"{decimal_of(h.supplied, h.decimals, 4)} {h.symbol}" for h in found.held if h.supplied]
    owed = [f"{decimal_of(h.borrowed, h.decimals, 4)} {h.symbol}" for h in found.held if h.borrowed]
    health = f"health factor {ratio_text(found.reported.health_factor)}"
    return printable(f"{health}: supplied {', '.join(supplied) or 'nothing'}; owed {', '.join(owed) or 'nothing'}")
