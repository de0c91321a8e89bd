"""Numbers for a position that has no rules yet: fitted to its distance from liquidation and to how its prices move.

A starting point for its owner, not advice. Of the distance that is left today a warning takes three fifths, a rescue
begins at two fifths, and restores four fifths, within bounds that are as wide as its prices move: what falls twice as
fast leaves half of the time. Where no history is there, they are those of a market that moves ``USUAL`` a year.
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


@dataclass(frozen=True, slots=True)
class Starter:
    """Proposed bounds (Wad): ``warn`` a distance to liquidation; ``act`` and ``restore`` in the position's measure."""

    warn: Wad
    act: Wad
    restore: Wad
    fires_now: bool
    """Whether the rescue would begin at once: the position is nearer to liquidation than is wise."""


APART = Careful(115 * HUNDREDTH, 130 * HUNDREDTH, 180 * HUNDREDTH, 15 * HUNDREDTH)
"""Where collateral and debt move by themselves: below 1.15 a fast fall leaves no time."""
TOGETHER = Careful(103 * HUNDREDTH, 106 * HUNDREDTH, 112 * HUNDREDTH, 2 * HUNDREDTH)
"""Where all of it follows one underlying, as a loop of staked ether does: it lives near 1."""


USUAL = 80 * HUNDREDTH
"""How much prices move in a year (Wad) where ``APART`` and ``MARGIN`` fit."""
MORE = 4, 5
"""A quarter is added to what was measured: small forecasts come to pass too often (decision 23)."""
CALMEST, WILDEST = WAD // 5, 8 * WAD // 5
"""How far bounds follow what prices do: beyond that a history is too short, or broken."""


def starter_of(position: LendingPosition | PerpPosition, volatility: Wad | None = None) -> Starter | None:
    """Return the bounds to begin with; None where nothing can be liquidated.

    ``volatility`` is how much what secures it moves against what it owes in a year; None where that is not known.
    """
    if isinstance(position, PerpPosition):
        return _of_perp(position, WAD if volatility is None else _wild(volatility))
    if volatility is not None:
        return _of_loan(position, _as_wild(_wild(volatility)))
    return _of_loan(position, TOGETHER if moves_together(position) else APART)


def _wild(volatility: int) -> int:
    """Return how wild a market is against the usual one, Wad."""
    return min(max(volatility * MORE[1] * WAD // (MORE[0] * USUAL), CALMEST), WILDEST)


def _as_wild(wild: int) -> Careful:
    """Return bounds whose distances to liquidation are as much wider as a market is wilder."""

    def at(health: int) -> int:
        return _down(_health_at(liquidation_distance_at(Wad(health)) * wild // WAD) + HUNDREDTH // 2)

    return Careful(
        max(at(APART.least), TOGETHER.least),
        max(at(APART.most), TOGETHER.most),
        max(at(APART.highest), TOGETHER.highest),
        max(APART.apart * wild // WAD, TOGETHER.apart),
    )


def moves_together(position: LendingPosition) -> bool:
    """Return whether all that is held follows one underlying."""
    found = {_NOBODY.underlying(h.symbol, h.asset) for h in position.held}
    return len(found) == 1 and None not in found


def _of_loan(position: LendingPosition, careful: Careful) -> Starter | None:
    health = position.reported.health_factor
    if not position.reported.debt_value:
        return None
    distance = max(0, liquidation_distance_at(health))
    act = _down(min(max(_health_at(distance * _ACT // _PARTS), careful.least), careful.most))
    restore = _down(min(max(_health_at(distance * _RESTORE // _PARTS), act + careful.apart), careful.highest))
    warn = max(distance * _WARN // _PARTS, liquidation_distance_at(Wad(act)) + HUNDREDTH)
    return Starter(Wad(_up(warn)), Wad(act), Wad(restore), health <= act)


def _of_perp(position: PerpPosition, wild: int) -> Starter | None:
    if not position.held:
        return None
    ratio, least = perps.margin_ratio(position), position.maintenance * WAD // FACTOR
    room = max(0, ratio - least)
    margin = MARGIN * wild // WAD
    act = _up(min(max(least + room * _ACT // _PARTS, 2 * least), max(5 * least, margin)), THOUSANDTH)
    most = max(10 * least, 2 * margin)
    restore = _up(max(min(least + room * _RESTORE // _PARTS, most), act + max(least, THOUSANDTH)), THOUSANDTH)
    warn = perps.liquidation_distance(position) * _WARN // _PARTS
    return Starter(Wad(_up(min(warn, WAD // 2))), Wad(act), Wad(restore), ratio <= act)


def _health_at(distance: int) -> int:
    return mul_div_down(WAD, WAD, WAD - distance)


def _down(wad: int) -> int:
    return wad // HUNDREDTH * HUNDREDTH


def _up(wad: int, step: int = HUNDREDTH) -> int:
    return max(step, -(-wad // step) * step)
