"""Numbers for a position that has no rules yet: fitted to how far it is from liquidation today, on the careful side.

A starting point for its owner, not advice. Of the distance that is left today a warning takes three fifths, a rescue
begins at two fifths, and restores four fifths, within bounds that hold whatever the distance is.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.book.position import Book
from keeper.core.lending.figures import liquidation_distance_at
from keeper.core.lending.position import LendingPosition
from keeper.core.perp import margin as perps
from keeper.core.perp.position import FACTOR, PerpPosition
from keeper.core.units import WAD, Wad, mul_div_down

HUNDREDTH, THOUSANDTH = WAD // 100, WAD // 1000
MARGIN = WAD // 10
"""A margin ratio that is never too small to wait for."""
_WARN, _ACT, _RESTORE, _PARTS = 3, 2, 4, 5
_NOBODY = Book("", (), (), ())


@dataclass(frozen=True, slots=True)
class Careful:
    """Between what a rescue begins, at most what it restores, and the least between the two. Wad health factors."""

    least: int
    most: int
    highest: int
    apart: int


APART = Careful(115 * HUNDREDTH, 130 * HUNDREDTH, 180 * HUNDREDTH, 15 * HUNDREDTH)
"""Where collateral and debt move by themselves: below 1.15 a fast fall leaves no time."""
TOGETHER = Careful(103 * HUNDREDTH, 106 * HUNDREDTH, 112 * HUNDREDTH, 2 * HUNDREDTH)
"""Where all of it follows one underlying, as a loop of staked ether does: it lives near 1."""


@dataclass(frozen=True, slots=True)
class Starter:
    """Proposed bounds (Wad): ``warn`` a distance to liquidation; ``act`` and ``restore`` in the position's measure."""

    warn: Wad
    act: Wad
    restore: Wad
    fires_now: bool
    """Whether the rescue would begin at once: the position is nearer to liquidation than is wise."""


def starter_of(position: LendingPosition | PerpPosition) -> Starter | None:
    """Return the bounds to begin with; None where nothing can be liquidated."""
    return _of_perp(position) if isinstance(position, PerpPosition) else _of_loan(position)


def moves_together(position: LendingPosition) -> bool:
    """Return whether all that is held follows one underlying."""
    found = {_NOBODY.underlying(h.symbol, h.asset) for h in position.held}
    return len(found) == 1 and None not in found


def _of_loan(position: LendingPosition) -> Starter | None:
    health = position.reported.health_factor
    if not position.reported.debt_value:
        return None
    distance = max(0, liquidation_distance_at(health))
    careful = TOGETHER if moves_together(position) else APART
    act = _down(min(max(_health_at(distance * _ACT // _PARTS), careful.least), careful.most))
    restore = _down(min(max(_health_at(distance * _RESTORE // _PARTS), act + careful.apart), careful.highest))
    warn = max(distance * _WARN // _PARTS, liquidation_distance_at(Wad(act)) + HUNDREDTH)
    return Starter(Wad(_up(warn)), Wad(act), Wad(restore), health <= act)


def _of_perp(position: PerpPosition) -> Starter | None:
    if not position.held:
        return None
    ratio, least = perps.margin_ratio(position), position.maintenance * WAD // FACTOR
    room = max(0, ratio - least)
    act = _up(min(max(least + room * _ACT // _PARTS, 2 * least), max(5 * least, MARGIN)), THOUSANDTH)
    most = max(10 * least, 2 * MARGIN)
    restore = _up(max(min(least + room * _RESTORE // _PARTS, most), act + max(least, THOUSANDTH)), THOUSANDTH)
    warn = perps.liquidation_distance(position) * _WARN // _PARTS
    return Starter(Wad(_up(min(warn, WAD // 2))), Wad(act), Wad(restore), ratio <= act)


def _health_at(distance: int) -> int:
    return mul_div_down(WAD, WAD, WAD - distance)


def _down(wad: int) -> int:
    return wad // HUNDREDTH * HUNDREDTH


def _up(wad: int, step: int = HUNDREDTH) -> int:
    return max(step, -(-wad // step) * step)
