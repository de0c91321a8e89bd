"""What a loan may lose counted in the money that its market counts in: ether where ether is lent. Pure.

What stands in that money moves nothing there, and all else moves as its price over that money's does: a loop of staked
ether that owes ether risks much in dollars and little in ether. Taken as normal by its variance (RiskMetrics 1996).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from keeper.core.lending.position import DOLLARS, Holding, LendingPosition
from keeper.core.prices import Doubt
from keeper.core.risk import barrier
from keeper.core.risk.market import Market
from keeper.core.risk.normal import density, quantile
from keeper.core.risk.said import Document, said
from keeper.core.risk.series import YEAR_S
from keeper.core.risk.stance import variance
from keeper.core.risk.tail import SHORTFALL_CONFIDENCE, VAR_CONFIDENCE, exposures
from keeper.core.units import Address


def own_money(p: LendingPosition, market: Market, horizons_s: Sequence[int]) -> Document | None:
    """Return the figures in it, by horizon; None where the market counts in dollars, or nothing is owed."""
    owed = [h for h in p.held if h.borrowed]
    if p.money == DOLLARS or len(owed) != 1:
        return None
    unit, own = owed[0], exposures(p)
    weights = {a: float(usd) for a, usd in own.items() if a != unit.asset}
    moved = variance({**weights, unit.asset: -sum(weights.values())}, market)
    z, tail = quantile(VAR_CONFIDENCE), density(quantile(SHORTFALL_CONFIDENCE)) / (1 - SHORTFALL_CONFIDENCE)
    return {
        "unit": unit.symbol,
        "lost": [
            {
                "horizon_s": h,
                "value_at_risk": said(_lost(moved, z, h, own, unit)),
                "expected_shortfall": said(_lost(moved, tail, h, own, unit)),
            }
            for h in horizons_s
        ],
    }


def _lost(
    moved: float | Doubt, times: float, horizon_s: int, own: Mapping[Address, int], unit: Holding
) -> float | Doubt:
    """Return so many deviations over the horizon in whole tokens of the money: no more than is the owner's own."""
    if isinstance(moved, Doubt):
        return moved
    doubt = barrier.wrong(math.sqrt(moved), horizon_s)
    if doubt is not None:
        return doubt
    found = min(float(max(0, sum(own.values()))), times * math.sqrt(moved * horizon_s / YEAR_S))
    return found / unit.usd_down(unit.unit)
