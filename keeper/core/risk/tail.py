"""What a position may lose within a time: value at risk and expected shortfall of what is its owner's own. Pure.

With one driver prices are lognormal and the figures exact; with several their sum is taken as normal by its variance
(delta-normal, RiskMetrics 1996). Nobody loses more than is his own: who owes more may walk away. What a liquidation
takes comes on top, and is its own figure. Money is integers: floats are the shares alone, and round up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Doubt
from keeper.core.risk import barrier
from keeper.core.risk.market import Market
from keeper.core.risk.normal import below, density, quantile
from keeper.core.risk.series import YEAR_S
from keeper.core.risk.stance import variance
from keeper.core.risk.volatility import unknown
from keeper.core.units import WAD, Address, Usd, mul_div_up

VAR_CONFIDENCE = 0.99
SHORTFALL_CONFIDENCE = 0.975
"""As the Basel Committee measures market risk (FRTB, 2019)."""


def exposures(p: LendingPosition) -> dict[Address, int]:
    """Return what of each asset is the owner's own, in dollars; below zero where more is owed."""
    return {h.asset: h.usd_down(h.supplied) - h.usd_up(h.borrowed) for h in p.held}


def value_at_risk(
    p: LendingPosition, market: Market | None, horizon_s: int, confidence: float = VAR_CONFIDENCE
) -> Usd | Doubt | None:
    """Return the loss that is not exceeded within the horizon with a confidence; None where nothing is held."""
    own = exposures(p)
    return value_at_risk_of(own, sum(own.values()), market, horizon_s, confidence)


def expected_shortfall(
    p: LendingPosition, market: Market | None, horizon_s: int, confidence: float = SHORTFALL_CONFIDENCE
) -> Usd | Doubt | None:
    """Return the mean loss of the cases beyond a confidence."""
    own = exposures(p)
    return expected_shortfall_of(own, sum(own.values()), market, horizon_s, confidence)


def value_at_risk_of(
    own: Mapping[Address, int], most: int, market: Market | None, horizon_s: int, confidence: float = VAR_CONFIDENCE
) -> Usd | Doubt | None:
    """Return the same of any exposures, by asset in dollars, signed, of which at most so much can be lost."""
    return _loss(own, most, market, horizon_s, confidence, _var_of_held, _var_of_owed, lambda z, _: z)


def expected_shortfall_of(
    own: Mapping[Address, int],
    most: int,
    market: Market | None,
    horizon_s: int,
    confidence: float = SHORTFALL_CONFIDENCE,
) -> Usd | Doubt | None:
    """Return the mean loss of the cases beyond a confidence, of any exposures."""
    return _loss(own, most, market, horizon_s, confidence, _es_of_held, _es_of_owed, lambda z, c: density(z) / (1 - c))


Lognormal = Callable[[float, float, float], float]
"""From the spread over the horizon, its quantile and the confidence: the loss as a share of the exposure."""


def _loss(
    exposed: Mapping[Address, int],
    most: int,
    market: Market | None,
    horizon_s: int,
    confidence: float,
    held: Lognormal,
    owed: Lognormal,
    normal: Callable[[float, float], float],
) -> Usd | Doubt | None:
    if market is None:
        return unknown("no price history was read")
    own = {asset: value for asset, value in exposed.items() if value}
    if not own:
        return None
    gross = sum(abs(value) for value in own.values())
    spread = variance({asset: value / gross for asset, value in own.items()}, market)
    if isinstance(spread, Doubt):
        return spread
    doubt = barrier.wrong(math.sqrt(spread), horizon_s)
    if doubt is not None or not 0.5 <= confidence < 1:
        return doubt or unknown(f"a confidence of {confidence} is none")
    years, z = horizon_s / YEAR_S, quantile(confidence)
    alone = _one_driver(own, market)
    if alone is not None:
        of, volatility = alone
        share = (held if of > 0 else owed)(volatility * math.sqrt(years), z, confidence)
        return _dollars(abs(of), share, most)
    return _dollars(gross, normal(z, confidence) * math.sqrt(spread * years), most)


def _one_driver(own: dict[Address, int], market: Market) -> tuple[int, float] | None:
    """Return the exposure to the one driver that matters, and its volatility; None where several do."""
    by_driver = dict[str, int]()
    for asset, value in own.items():
        by_driver[market.drivers[asset]] = by_driver.get(market.drivers[asset], 0) + value
    sizes = dict[str, float]()
    for driver, value in by_driver.items():
        volatility = market.movements[driver].volatility
        sizes[driver] = 0.0 if isinstance(volatility, Doubt) else abs(value) * volatility
    first = max(sizes, key=lambda d: sizes[d])
    if any(size * 20 > sizes[first] for d, size in sizes.items() if d != first):
        return None
    volatility = market.movements[first].volatility
    return None if isinstance(volatility, Doubt) or not by_driver[first] else (by_driver[first], volatility)


def _var_of_held(spread: float, z: float, _: float) -> float:
    return 1 - math.exp(-z * spread - spread**2 / 2)


def _var_of_owed(spread: float, z: float, _: float) -> float:
    return math.exp(z * spread - spread**2 / 2) - 1


def _es_of_held(spread: float, z: float, confidence: float) -> float:
    return 1 - below(-z - spread) / (1 - confidence)


def _es_of_owed(spread: float, z: float, confidence: float) -> float:
    return below(spread - z) / (1 - confidence) - 1


def _dollars(exposure: int, share: float, most: int) -> Usd:
    """Return a share of an exposure in dollars, rounded up: no less than nothing, and no more than is there to lose."""
    return Usd(max(0, min(most, mul_div_up(exposure, max(0, math.ceil(share * WAD)), WAD))))
