"""At which price of one market a rule about a perpetual position would fire. Pure."""

from __future__ import annotations

from dataclasses import replace

from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.core.rules import as_now
from keeper.core.units import largest, mul_div_up

PPM = 1_000_000
FARTHEST = PPM // 1000
"""How far a price is followed: to a thousandth of what it is, or up to a thousand times."""


def where_fires(p: PerpPosition, rule: PerpRule) -> tuple[PerpPosition, PerpLeg] | None:
    """Return the position at the nearest price of one of its markets that makes a rule fire, and that market's leg.

    None where no price of one market alone does.
    """
    found = [
        (factor, leg, is_fall) for leg in p.held for is_fall in (True, False) if (factor := _at(p, rule, leg, is_fall))
    ]
    if not found:
        return None
    factor, leg, is_fall = max(found, key=lambda one: one[0])
    return moved(p, leg, factor, is_fall=is_fall), leg


def moved(p: PerpPosition, leg: PerpLeg, factor: int, *, is_fall: bool) -> PerpPosition:
    """Return the position as its venue would report it, one market's prices moved by parts in a million."""

    def at(price: int) -> int:
        return price * factor // PPM if is_fall else mul_div_up(price, PPM, factor)

    oracle = replace(leg.oracle, answer=at(leg.oracle.answer))
    there = replace(leg, mark_price=at(leg.mark_price), index_price=at(leg.index_price), oracle=oracle)
    then = p.with_leg(there)
    return replace(then, reported=perps.figures(then))


def _at(p: PerpPosition, rule: PerpRule, leg: PerpLeg, is_fall: bool) -> int | None:
    trigger = rule.trigger

    def fires(factor: int) -> bool:
        then = moved(p, leg, factor, is_fall=is_fall)
        value = trigger.metric.now(then, trigger.of)
        return value is not None and as_now(rule, then)[0].trigger.fires_at(value, then)

    return largest(FARTHEST, PPM, fires)
