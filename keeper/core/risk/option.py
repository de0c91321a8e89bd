"""What the put costs that would do the same, as a measure of what protection is worth (Black & Scholes 1973). Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keeper.core.prices import Doubt
from keeper.core.risk import barrier
from keeper.core.risk.normal import below, density
from keeper.core.risk.series import YEAR_S
from keeper.core.risk.volatility import unknown


@dataclass(frozen=True, slots=True)
class Put:
    """A put on one unit of what costs one, as shares of that: price, delta, gamma, vega (of 1.00 volatility)."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta_a_day: float


def put(strike: float, volatility: float, horizon_s: float, rate: float = 0.0) -> Put | Doubt:
    """Return a European put; ``strike`` is a share of the price now, ``rate`` what money earns in a year."""
    doubt = barrier.wrong(volatility, horizon_s)
    if doubt is not None:
        return doubt
    if not barrier.is_figure(strike, rate) or strike <= 0:
        return unknown(f"a strike of {strike} is none")
    years = horizon_s / YEAR_S
    spread = volatility * math.sqrt(years)
    high = (math.log(1 / strike) + (rate + volatility**2 / 2) * years) / spread
    discounted = strike * math.exp(-rate * years)
    price = discounted * below(spread - high) - below(-high)
    decay = -volatility * density(high) / (2 * math.sqrt(years)) + rate * discounted * below(spread - high)
    return Put(price, below(high) - 1, density(high) / spread, density(high) * math.sqrt(years), decay / 365)


def down_and_in_put(strike: float, level: float, volatility: float, horizon_s: float) -> float | Doubt:
    """Return the price of a put that lives only once ``level`` was reached (Reiner & Rubinstein 1991), rate zero.

    With the level at or above the strike it is the put itself: protection paid for from where liquidation begins.
    """
    plain = put(strike, volatility, horizon_s)
    if isinstance(plain, Doubt):
        return plain
    if not 0 < level < 1:
        return unknown(f"a level of {level} of the price is not below it")
    if level >= strike:
        return plain.price
    spread = volatility * math.sqrt(horizon_s / YEAR_S)
    x1, y, y1 = (math.log(a) / spread + spread / 2 for a in (1 / level, level**2 / strike, level))
    ended = strike * below(spread - x1) - below(-x1)
    return ended + level * (below(y) - below(y1)) - strike / level * (below(y - spread) - below(y1 - spread))
