"""A position of either kind, met by a shock: the one place that asks which. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keeper.core.lending.position import LendingPosition
from keeper.core.perp.position import PerpPosition
from keeper.core.risk import perp_shocks, shocks
from keeper.core.risk.perp_shocks import PerpShocked
from keeper.core.risk.shock_terms import Shock
from keeper.core.risk.shocks import Shocked

Met = Shocked | PerpShocked


def met(p: LendingPosition | PerpPosition, by: Shock) -> Met:
    """Return a position after a shock."""
    return next(_met(p, (by,), alone=True))


def met_by_all(p: LendingPosition | PerpPosition, own: Sequence[Shock]) -> Iterator[Met]:
    """Yield a position after each shock of its table."""
    return _met(p, own, alone=False)


def _met(p: LendingPosition | PerpPosition, own: Sequence[Shock], *, alone: bool) -> Iterator[Met]:
    if isinstance(p, PerpPosition):
        return (perp_shocks.shocked_by(p, x) for x in (*(() if alone else perp_shocks.built_in(p)), *own))
    return (shocks.shocked_by(p, x) for x in (*(() if alone else shocks.built_in(p)), *own))
