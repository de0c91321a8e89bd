"""The same protection four ways, in dollars: a top-up, a sale, a hedge, a put. Pure.

Each brings the probability of liquidation within the horizon to the target. With W what secures the loan by its
liquidation factor, D the debt, and e the distance (log of W over D) at which the probability is the target's:

- top-up of W (exp(e) - W/D) D/W over the factor: tying it up costs the owner's own share of it;
- sale of x, where (W - f x) / (D - x (1 - l)) = exp(e): fee and slippage are x l, as pools said;
- hedge of h, where W s + h (1 - s) = D at s = exp(-e): funding over the horizon, its margin not counted;
- put on W from D/W of the price: one that lives from where liquidation begins. It protects below s as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from keeper.core.lending.actions import TOP_UP
from keeper.core.prices import Doubt
from keeper.core.risk import option
from keeper.core.risk.said import Document, money, rounded
from keeper.core.risk.series import YEAR_S
from keeper.core.risk.stance import Stance, probability
from keeper.core.risk.volatility import unknown
from keeper.core.units import BPS, WAD

TARGET = 0.002
"""The probability that each of them brings it to."""
FARTHEST = 8.0
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class LoanSums:
    """A loan's sums in dollars, and what each way is charged: None where nobody said."""

    secured: float
    owed: float
    factor: float
    """Of the collateral that is topped up or sold."""
    capital_bps: int
    lost_in_pools: float | None
    """The share that a sale loses, as pools said of about the whole."""
    funding_a_year: float | None
    """The share of its size that a short pays; below zero where it is paid."""


def benchmark(s: Stance | Doubt | None, of: LoanSums, horizon_s: int) -> Document | None:
    """Return what each way costs; None where nothing falls that would liquidate it, or the target is met."""
    if not isinstance(s, Stance) or s.distance <= 0 or s.distance == math.inf or s.is_owed or of.owed <= 0:
        return None
    needed = distance_for(s, horizon_s)
    if needed is None or needed <= s.distance:
        return None
    put = option.down_and_in_put(of.owed / of.secured, of.owed / of.secured, s.volatility, horizon_s)
    ways = {
        TOP_UP.key: top_up(of, needed),
        "sale": sale(of, needed),
        "hedge": hedge(of, needed, horizon_s),
        "put": (of.secured, put if isinstance(put, Doubt) else of.secured * put),
    }
    return {
        "horizon_s": horizon_s,
        "target": TARGET,
        "distance": rounded(needed),
        "ways": {name: {"size_usd": _usd(size), "cost_usd": _usd(cost)} for name, (size, cost) in ways.items()},
    }


def distance_for(s: Stance, horizon_s: int) -> float | None:
    """Return the distance at which the probability is the target's; None where it is not known, or beyond reach."""
    low, high = max(0.0, s.distance), FARTHEST
    here, far = probability(s, horizon_s, low), probability(s, horizon_s, high)
    if isinstance(here, Doubt) or isinstance(far, Doubt) or far > TARGET:
        return None
    if here <= TARGET:
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = probability(s, horizon_s, middle)
        if isinstance(found, Doubt):
            return None
        low, high = (middle, high) if found > TARGET else (low, middle)
    return high


def top_up(of: LoanSums, needed: float) -> tuple[float, float]:
    """Return the dollars of collateral to add, and what tying them up costs."""
    size = (of.owed * math.exp(needed) - of.secured) / of.factor
    return size, size * of.capital_bps / BPS


def sale(of: LoanSums, needed: float) -> tuple[float | Doubt, float | Doubt]:
    """Return the dollars of collateral to sell, and what fee and slippage take of them."""
    if of.lost_in_pools is None:
        return (doubt := unknown("no pool was asked")), doubt
    goal = math.exp(needed)
    helps = goal * (1 - of.lost_in_pools) - of.factor
    size = (of.owed * goal - of.secured) / helps if helps > 0 else math.inf
    if size * of.factor > of.secured:
        return (doubt := unknown("selling all of it is not enough")), doubt
    return size, size * of.lost_in_pools


def hedge(of: LoanSums, needed: float, horizon_s: int) -> tuple[float, float | Doubt]:
    """Return the dollars to be short, and what funding takes of them."""
    left = math.exp(-needed)
    size = (of.owed - of.secured * left) / (1 - left)
    if of.funding_a_year is None:
        return size, unknown("no short is kept here whose funding is known")
    return size, size * of.funding_a_year * horizon_s / YEAR_S


def _usd(found: float | Doubt) -> object:
    return money(found if isinstance(found, Doubt) else math.ceil(found * WAD / 10**10))
