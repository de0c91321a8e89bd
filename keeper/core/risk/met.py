"""A position of either kind, met by a shock: the one place that asks which. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpPosition
from keeper.core.risk import perp_shocks, shocks
from keeper.core.risk.perp_shocks import PerpShocked
from keeper.core.risk.shock_terms import Shock
from keeper.core.risk.shocks import Shocked
from keeper.core.risk.stress import is_dollar
from keeper.core.units import USD

Met = Shocked | PerpShocked


def met(p: LendingPosition | PerpPosition, by: Shock) -> Met:
    """Return a position after a shock."""
    return next(_met(p, (by,), alone=True))


def met_by_all(p: LendingPosition | PerpPosition, own: Sequence[Shock]) -> Iterator[Met]:
    """Yield a position after each shock of its table."""
    return _met(p, own, alone=False)


def delta_of_loan(holdings: Iterable[Holding]) -> dict[str, int]:
    """Return by symbol what a loan's owner is exposed to, dollars, signed; dollars themselves are no exposure."""
    return {h.symbol: h.usd_down(h.supplied) - h.usd_up(h.borrowed) for h in holdings if h.is_held and not is_dollar(h)}


def delta_of_perp(p: PerpPosition) -> dict[str, int]:
    """Return the same of a perpetual: its sizes at the mark."""
    return {x.symbol: perps.notional(x) * USD // p.usd_unit * (1 if x.is_long else -1) for x in p.held}


def delta(x: Met) -> dict[str, int]:
    """Return what a position is exposed to after a shock if nothing is done."""
    return delta_of_loan(x.then.holdings) if isinstance(x, Shocked) else delta_of_perp(x.then)


def _met(p: LendingPosition | PerpPosition, own: Sequence[Shock], *, alone: bool) -> Iterator[Met]:
    if isinstance(p, PerpPosition):
        return (perp_shocks.shocked_by(p, x) for x in (*(() if alone else perp_shocks.built_in(p)), *own))
    return (shocks.shocked_by(p, x) for x in (*(() if alone else shocks.built_in(p)), *own))
