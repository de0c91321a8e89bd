"""What is known of the prices that positions hang on: how much each moves, jumps, and how they move together. Pure.

Prices that one feed gives are one driver: a staked asset whose oracle multiplies the feed of what it stands for moves
with it, and not beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from keeper.core.prices import Doubt
from keeper.core.risk import jumps as jumping
from keeper.core.risk.correlation import Correlations, correlations
from keeper.core.risk.forecast import CALM_S, HALF_LIFE_S, Forecaster, usual
from keeper.core.risk.jumps import Jumps
from keeper.core.risk.series import YEAR_S, Series
from keeper.core.risk.volatility import covered, log_moves, unknown, volatility_of_volatility
from keeper.core.units import DAY_S, HOUR_S, USD, Address

MOST_S = 30 * DAY_S
"""What is older does not count."""
STEP_S = HOUR_S
"""The step at which prices are compared, and in which a jump is looked for."""
RESTLESS_DAYS = 14
USUAL_RESTLESS, MOST_RESTLESS = 0.35, 1.0
"""Of hourly prices of ether in quiet and in bad months; taken where the history is too short to say."""
LEAST_JUMPS = 3
"""Fewer say nothing of their sizes."""
DOLLAR_VOLATILITY = 0.01
"""The least volatility of a dollar coin: one that stands at a dollar may still leave it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a driver's prices come from, and for how long they may say nothing while all is well."""

    history: Series
    quiet_s: int
    origin: str


@dataclass(frozen=True, slots=True)
class Movement:
    """How one driver moves. A Doubt is not a calm price: nothing that hangs on it is known."""

    volatility: float | Doubt
    jumps: Jumps | None
    every_s: int
    """The mean time between two of its updates."""
    history: Series = field(default=Series(()), compare=False, repr=False)
    quiet_s: int = 0
    """For how long it may say nothing while all is well."""
    restless: float = 0.0
    """How much the volatility itself changes in a day: the deviation of its logarithm. Tomorrow's is not today's."""


@dataclass(frozen=True, slots=True)
class Market:
    """What was known at ``at`` (unix seconds)."""

    at: int
    drivers: Mapping[Address, str] = field(default_factory=dict)
    """By asset: the driver that its price hangs on."""
    movements: Mapping[str, Movement] = field(default_factory=dict)
    correlations: Correlations | Doubt = field(default_factory=Correlations)
    is_by_paths: bool = True
    """Whether several prices are drawn, and volatility by its whole law: reports before version 3 knew neither."""

    def movement(self, asset: Address) -> Movement | Doubt:
        """Return how the price of an asset moves."""
        driver = self.drivers.get(asset)
        if driver is None or driver not in self.movements:
            return unknown(f"no price history of {asset}")
        return self.movements[driver]

    def together(self, a: Address, b: Address) -> float | Doubt:
        """Return the correlation of two assets' prices."""
        one, other = self.drivers.get(a), self.drivers.get(b)
        if one is None or other is None:
            return unknown(f"no price history of {b if other is None else a}")
        if one == other:
            return 1.0
        if isinstance(self.correlations, Doubt):
            return self.correlations
        found = self.correlations.of(one, other)
        return unknown(f"it is not known how {one} and {other} move together") if found is None else found


def market(
    sources: Mapping[str, Source], drivers: Mapping[Address, str], now: int, forecast: Forecaster = usual
) -> Market:
    """Return what is known at a time: nothing that was said later counts."""
    seen = {name: Source(s.history.until(now).since(now - MOST_S), s.quiet_s, s.origin) for name, s in sources.items()}
    movements = {name: movement(source, now, forecast) for name, source in seen.items()}
    moving = {n: s.history for n, s in seen.items() if not isinstance(movements[n].volatility, Doubt)}
    return Market(now, drivers, movements, _together(moving, now))


def movement(source: Source, now: int, forecast: Forecaster = usual) -> Movement:
    """Return how one driver moves: its volatility as a forecaster expects it for a day."""
    history = source.history
    if is_dollar(history):
        return Movement(_of_dollar(source, now), None, _every(history), history, source.quiet_s)
    expected = forecast(history, now, DAY_S, source.quiet_s)
    levels = history.every(STEP_S, now)
    moves = [b - a for a, b in pairwise(levels)]
    found = jumping.found(moves, STEP_S)
    known = None if isinstance(found, Doubt) or found.count < LEAST_JUMPS else found
    return Movement(expected, known, _every(history), history, source.quiet_s, _restless(history, now))


def _restless(history: Series, now: int) -> float:
    found = volatility_of_volatility(history, now, RESTLESS_DAYS)
    return USUAL_RESTLESS if isinstance(found, Doubt) else min(MOST_RESTLESS, found * math.sqrt(DAY_S / YEAR_S))


def is_dollar(history: Series) -> bool:
    """Return whether a price stands for a dollar, as far as is known: it never left it by a twentieth."""
    return bool(history.ticks) and all(USD * 95 <= tick.price * 100 <= USD * 105 for tick in history.ticks)


def _of_dollar(source: Source, now: int) -> float | Doubt:
    """Return the volatility of a dollar coin: what it moved, and never nothing."""
    doubt = covered(source.history, HALF_LIFE_S, now, source.quiet_s)
    if doubt is not None:
        return doubt
    history = source.history
    squares = sum(move * move for move in log_moves(history))
    return float(max(DOLLAR_VOLATILITY, (squares * YEAR_S / max(1, now - history.begins)) ** 0.5))


def _every(history: Series) -> int:
    count = len(history.ticks) - 1
    return (history.ends - history.begins) // count if count > 0 else 0


def _together(histories: Mapping[str, Series], now: int) -> Correlations | Doubt:
    """Return how drivers move together; a dollar coin that stands still moves with nothing."""
    moving = {name: h for name, h in histories.items() if not is_dollar(h)}
    found = correlations(moving, STEP_S, CALM_S, now)
    if isinstance(found, Doubt):
        return found
    still = [name for name in histories if name not in moving]
    pairs = {frozenset((a, b)): 0.0 for a in still for b in histories if a != b}
    return Correlations({**found.pairs, **pairs}, found.shrunk)
