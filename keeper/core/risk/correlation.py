"""How prices move together: exponentially weighted, and shrunk towards nothing where the history is short. Pure.

Weights are RiskMetrics' (1996). The shrinkage is Schäfer & Strimmer's (2005): as much as the correlations are
uncertain, ``Σ Var(r) / Σ r²``, so that the matrix is one that can be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from keeper.core.prices import Doubt
from keeper.core.risk.series import Series
from keeper.core.risk.volatility import LEAST, unknown

Pair = frozenset[str]


@dataclass(frozen=True, slots=True)
class Correlations:
    """The correlation of each pair that is known; a price with itself is one."""

    pairs: Mapping[Pair, float] = field(default_factory=dict)
    shrunk: float = 0.0
    """By which share all were drawn to nothing."""

    def of(self, a: str, b: str) -> float | None:
        """Return the correlation of two; None where it is not known."""
        return 1.0 if a == b else self.pairs.get(frozenset((a, b)))


def correlations(histories: Mapping[str, Series], step_s: int, half_life_s: int, now: int) -> Correlations | Doubt:
    """Return how several prices moved together at equal times, as far back as all of them are known."""
    names = sorted(histories)
    if len(names) < 2:
        return Correlations()
    levels = {name: histories[name].until(now).every(step_s, now) for name in names}
    count = min(len(of) for of in levels.values()) - 1
    if count < 4 * LEAST:
        return unknown(f"{max(0, count)} steps of {step_s} s are known of all prices, {4 * LEAST} are needed")
    moves = {n: [b - a for a, b in zip(of[-count - 1 :], of[-count:], strict=False)] for n, of in levels.items()}
    weights = _weights(count, step_s, half_life_s)
    units = dict[str, list[float]]()
    for name, of in moves.items():
        size = math.sqrt(sum(w * x * x for w, x in zip(weights, of, strict=True)))
        if size <= 0:
            return unknown(f"the price of {name} never moved")
        units[name] = [x / size for x in of]
    return _shrunk(names, units, weights)


def _weights(count: int, step_s: int, half_life_s: int) -> list[float]:
    raw = [0.5 ** ((count - 1 - i) * step_s / half_life_s) for i in range(count)]
    total = sum(raw)
    return [w / total for w in raw]


def _shrunk(names: Sequence[str], units: Mapping[str, list[float]], weights: Sequence[float]) -> Correlations:
    pairs, squares, doubts = dict[Pair, float](), 0.0, 0.0
    spread = sum(w * w for w in weights)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            products = [x * y for x, y in zip(units[a], units[b], strict=True)]
            r = sum(w * p for w, p in zip(weights, products, strict=True))
            variance = sum(w * (p - r) ** 2 for w, p in zip(weights, products, strict=True))
            pairs[frozenset((a, b))] = max(-1.0, min(1.0, r))
            squares += r * r
            doubts += variance * spread / (1 - spread)
    share = min(1.0, doubts / squares) if squares > 0 else 1.0
    return Correlations({pair: r * (1 - share) for pair, r in pairs.items()}, share)
