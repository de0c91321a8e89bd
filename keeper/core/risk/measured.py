"""Any position as a report measures it: how it faces prices, what liquidation takes, what of each asset is its owner's.

Loans and perpetuals are made into one of these, and the figures that both have are told here once. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core.prices import Doubt
from keeper.core.risk import barrier, option
from keeper.core.risk.facing import Facing
from keeper.core.risk.market import Market
from keeper.core.risk.monte_carlo import Reached
from keeper.core.risk.said import Document, money, rounded, said
from keeper.core.risk.series import YEAR_S
from keeper.core.risk.stance import Stance, moving, probability, seen_by_oracle, time_to, with_jumps
from keeper.core.risk.tail import expected_shortfall_of, value_at_risk_of
from keeper.core.units import DAY_S, WAD, Address, mul_div_up

LEVELS = (0.01, 0.05, 0.5)
_POINT = 0.01


@dataclass(frozen=True, slots=True)
class Measured:
    """A position, ready for every figure that does not ask of what kind it is."""

    name: str
    facing: Facing | None
    """None where nothing can liquidate it."""
    stance: Stance | Doubt | None
    own: Mapping[Address, int]
    """What of each asset is the owner's own, dollars; below zero where more is owed, or sold."""
    symbols: Mapping[Address, str]
    most: int
    """What there is to lose, dollars."""
    taken: int
    """What liquidation takes beyond the debt that it pays, dollars, at the most."""
    sold: int
    """What liquidation sells, dollars: it goes to the market in which others stand."""
    carry_a_day: int
    """Dollars that interest or funding brings in a day; below zero where it costs."""

    @property
    def closed(self) -> int:
        """What of its exposure is gone once it was liquidated, dollars: what is sold, or a perpetual's whole size."""
        return self.sold or sum(abs(value) for value in self.own.values())

    @property
    def has_begun(self) -> bool:
        """Whether liquidation is possible now."""
        return isinstance(self.stance, Stance) and self.stance.distance <= 0

    def within(self, horizon_s: int) -> float | Doubt:
        """Return how probable liquidation is within a time."""
        if isinstance(self.stance, Stance):
            return probability(self.stance, horizon_s)
        return self.stance if isinstance(self.stance, Doubt) else 0.0

    def expected(self, horizon_s: int) -> int | Doubt:
        """Return the dollars at stake: probability × what liquidation takes, rounded up."""
        chance = self.within(horizon_s)
        return chance if isinstance(chance, Doubt) else mul_div_up(self.taken, math.ceil(chance * WAD), WAD)


def figures(of: Measured, market: Market, horizons_s: Sequence[int], drawn: Sequence[Reached | None]) -> Document:
    """Return what is said of any position."""
    s = of.stance
    return {
        "volatility": said(s.volatility if isinstance(s, Stance) else s),
        "probability": [_probability(s, h, d) for h, d in zip(horizons_s, drawn, strict=True)],
        "until": [{"probability": q, "seconds": said(_until(s, q))} for q in LEVELS],
        "lost": [_lost(of, market, h) for h in horizons_s],
        "taken_usd": str(of.taken),
        "sensitivity": sensitivity(of, horizons_s[0]),
    }


def _probability(s: Stance | Doubt | None, horizon_s: int, drawn: Reached | None) -> Document:
    if not isinstance(s, Stance):
        return {"horizon_s": horizon_s, "used": said(s if isinstance(s, Doubt) else 0.0)}
    fall = barrier.level(0.05, s.drift, s.volatility, horizon_s)
    return {
        "horizon_s": horizon_s,
        "used": said(probability(s, horizon_s)),
        "moving": said(moving(s, horizon_s, s.distance)),
        "at_updates": said(seen_by_oracle(s, horizon_s)),
        "jumping": said(with_jumps(s, horizon_s, s.distance)),
        "paths": None if drawn is None else {"probability": rounded(drawn.probability), "error": rounded(drawn.error)},
        "health_at_95": said(fall if isinstance(fall, Doubt) else math.exp(s.distance - fall)),
    }


def _until(s: Stance | Doubt | None, q: float) -> float | Doubt | None:
    if not isinstance(s, Stance):
        return s
    found = time_to(s, q)
    return round(found) if isinstance(found, float) else found


def _lost(of: Measured, market: Market, horizon_s: int) -> Document:
    return {
        "horizon_s": horizon_s,
        "value_at_risk_usd": money(value_at_risk_of(of.own, of.most, market, horizon_s)),
        "expected_shortfall_usd": money(expected_shortfall_of(of.own, of.most, market, horizon_s)),
        "expected_liquidation_usd": money(of.expected(horizon_s)),
    }


def sensitivity(of: Measured, horizon_s: int) -> Document:
    """Return the Greeks: dollars per asset, what a day brings, and how the probability and the stake move."""
    found: Document = {
        "delta_usd": {of.symbols[asset]: str(value) for asset, value in of.own.items()},
        "carry_a_day_usd": str(of.carry_a_day),
    }
    s = of.stance
    if not isinstance(s, Stance) or s.distance == math.inf:
        return found
    asked = {
        "here": probability(s, horizon_s),
        "wider": probability(replace(s, volatility=s.volatility + _POINT), horizon_s),
        "lower": probability(s, horizon_s, s.distance + math.log(0.99)),
        "higher": probability(s, horizon_s, s.distance + math.log(1.01)),
        "longer": probability(s, horizon_s, s.distance + s.drift * DAY_S / YEAR_S),
    }
    known = {name: value for name, value in asked.items() if isinstance(value, float)}
    if len(known) < len(asked):
        return found
    here = known["here"]
    return found | {
        "probability_per_volatility_point": rounded(known["wider"] - here),
        "probability_per_fall_of_1_percent": rounded(known["lower"] - here),
        "probability_gamma": rounded(known["lower"] - 2 * here + known["higher"]),
        "delta_by_liquidation_per_fall_of_1_percent_usd": str(-round(of.closed * (known["lower"] - here))),
        "probability_theta_a_day": rounded(known["longer"] - here),
        "stake_per_volatility_point_usd": str(round(of.taken * (known["wider"] - here))),
    }


def put_of(of: Measured, covered: int, horizon_s: int) -> Document | None:
    """Return what a put costs that pays from where liquidation begins, on what is covered: plain, and knocked in there.

    The one that only lives once liquidation began costs no less, for its strike is the level; beside them what a fall
    through it would take, so that a put, a top-up, a sale and a hedge are compared in dollars.
    """
    s = of.stance
    if not isinstance(s, Stance) or s.distance <= 0 or s.distance == math.inf or s.is_owed:
        return None
    strike = math.exp(-s.distance)
    found, barred = option.put(strike, s.volatility, horizon_s), _barred(strike, s, horizon_s)
    if isinstance(found, Doubt) or isinstance(barred, Doubt):
        return None
    return {
        "horizon_s": horizon_s,
        "strike_share": rounded(strike),
        "cost_usd": str(mul_div_up(covered, math.ceil(found.price * WAD), WAD)),
        "at_the_money_knocked_in_usd": str(mul_div_up(covered, math.ceil(barred * WAD), WAD)),
    }


def _barred(level: float, s: Stance, horizon_s: int) -> float | Doubt:
    """Return the put at the price of now that lives once the level was reached: all of the fall, where it is fatal."""
    return option.down_and_in_put(1.0, level, s.volatility, horizon_s)
