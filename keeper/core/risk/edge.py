"""Where a position of several prices would be liquidated: the nearest such place, and how its health moves there. Pure.

Shares are not what they are now once prices moved: collateral that fell weighs less, a debt that rose weighs more. So
the place where liquidation begins is looked for at which prices come with the least effort, counted in their own
deviations and correlations; there health is as straight a line as it is anywhere on the way (Hasofer & Lind 1974, the
first-order reliability method), and what it is curved counts as Breitung (1984) has it. With one price that matters
it is exact, whatever stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FARTHEST = 12.0
"""No price is looked at beyond this logarithm: e^12 is a hundred-thousandfold."""
_ROUNDS, _HALVINGS, _SAME = 40, 8, 1e-6
_BEGIN = 1.0
"""How many yearly deviations of one price a search begins away."""
_CURVED = (0.5, 2.0)
"""Between these what the edge is curved changes a probability: beyond, no plane is near it."""

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Sides:
    """Shares of what secures and of what is owed by price, the rest is cash; and the logarithm of health now."""

    secured: Sequence[float]
    owed: Sequence[float]
    distance: float

    def shares(self, moved: Sequence[float]) -> tuple[float, list[float], list[float]]:
        """Return the logarithm of health after logarithmic moves, and what each price is of either side then."""
        ups = [w * math.exp(x) for w, x in zip(self.secured, moved, strict=True)]
        downs = [w * math.exp(x) for w, x in zip(self.owed, moved, strict=True)]
        up, down = (sum(of) + max(0.0, 1 - sum(share)) for of, share in ((ups, self.secured), (downs, self.owed)))
        return self.distance + math.log(up / down), [a / up for a in ups], [b / down for b in downs]

    def health(self, moved: Sequence[float]) -> float:
        """Return the logarithm of health after logarithmic moves."""
        return self.shares(moved)[0]

    def weights(self, moved: Sequence[float]) -> list[float]:
        """Return by how much each price moves health there."""
        _, ups, downs = self.shares(moved)
        return [a - b for a, b in zip(ups, downs, strict=True)]


@dataclass(frozen=True, slots=True)
class Edge:
    """The nearest place of liquidation: how many yearly deviations away, and what moves health there, by price."""

    away: float
    moved: tuple[float, ...]
    weights: tuple[float, ...]


def nearest(of: Sides, covariance: Rows) -> Edge | None:
    """Return it; None where no prices that can be thought of liquidate. ``covariance`` is a year's.

    It is looked for from now, and from where one price alone has moved: what is nearest may be another's fall.
    """
    root = _root(covariance)
    count = range(len(root))
    begins = [[0.0 for _ in count], *([way * _BEGIN * (i == j) for j in count] for i in count for way in (-1, 1))]
    found = [e for e in (_from(of, root, begin) for begin in begins) if e is not None]
    return min(found, key=lambda e: e.away, default=None)


def curved(of: Sides, covariance: Rows, at: Edge) -> float:
    """Return how many times as probable liquidation is as if its edge were the plane through the nearest place."""
    _, ups, downs = of.shares(at.moved)
    pull = _pull(at.weights, covariance)
    square = sum(p * w for p, w in zip(pull, at.weights, strict=True))
    size, count = at.away / math.sqrt(square), range(len(pull))
    bend = [[(ups[i] - downs[i]) * (i == j) - ups[i] * ups[j] + downs[i] * downs[j] for j in count] for i in count]
    beside = [[covariance[i][j] - pull[i] * pull[j] / square for j in count] for i in count]
    rows = [[(i == j) + size * sum(beside[i][k] * bend[k][j] for k in count) for j in count] for i in count]
    found = _determinant(rows)
    least, most = _CURVED
    return most if found <= 0 else min(most, max(least, found**-0.5))


def _from(of: Sides, root: Rows, begin: Sequence[float]) -> Edge | None:
    """Return the nearest place that is found from one: each step goes to where a plane would have it (iHLRF).

    Zhang & Der Kiureghian 1995: a step is halved until it comes nearer to health one and to where prices are now.
    """
    at, moved = list(begin), _moved(root, begin)
    for _ in range(_ROUNDS):
        health, weights = of.health(moved), of.weights(moved)
        slope = [sum(row[j] * w for row, w in zip(root, weights, strict=True)) for j in range(len(at))]
        square = sum(x * x for x in slope)
        if square <= 1e-18:
            return None
        share = (sum(x * y for x, y in zip(slope, at, strict=True)) - health) / square
        step = [share * x - y for x, y in zip(slope, at, strict=True)]
        if abs(health) < _SAME * max(_SAME, of.distance) and _size(step) < 1e-4 * max(1e-9, _size(at)):
            return Edge(_size(at), tuple(moved), tuple(weights))
        price = 2 * max(_size(at), abs(share) * math.sqrt(square)) / math.sqrt(square)
        before = sum(x * x for x in at) / 2 + price * abs(health)
        for halved in range(_HALVINGS):
            there = [x + y / 2**halved for x, y in zip(at, step, strict=True)]
            moved = _moved(root, there)
            if max(abs(x) for x in moved) < FARTHEST:
                after = sum(x * x for x in there) / 2 + price * abs(of.health(moved))
                if after < before:
                    break
        at = there
        if max(abs(x) for x in moved) >= FARTHEST:
            return None
    return None


def _moved(root: Rows, at: Sequence[float]) -> list[float]:
    return [sum(r * x for r, x in zip(row, at, strict=True)) for row in root]


def _size(of: Sequence[float]) -> float:
    return math.sqrt(sum(x * x for x in of))


def _pull(weights: Sequence[float], covariance: Rows) -> list[float]:
    return [sum(c * w for c, w in zip(row, weights, strict=True)) for row in covariance]


def _root(covariance: Rows) -> list[list[float]]:
    """Return the lower root of a covariance (Cholesky); what moves with others alone adds nothing of its own."""
    root = [[0.0] * len(covariance) for _ in covariance]
    for i, row in enumerate(covariance):
        for j in range(i + 1):
            left = row[j] - sum(root[i][k] * root[j][k] for k in range(j))
            if i == j:
                root[i][i] = math.sqrt(max(0.0, left))
            elif root[j][j] > 1e-12:
                root[i][j] = left / root[j][j]
    return root


def _determinant(rows: list[list[float]]) -> float:
    found = 1.0
    for i in range(len(rows)):
        best = max(range(i, len(rows)), key=lambda j: abs(rows[j][i]))
        if rows[best][i] == 0:
            return 0.0
        if best != i:
            rows[i], rows[best], found = rows[best], rows[i], -found
        found *= rows[i][i]
        for j in range(i + 1, len(rows)):
            share = rows[j][i] / rows[i][i]
            rows[j] = [b - share * a for a, b in zip(rows[i], rows[j], strict=True)]
    return found
