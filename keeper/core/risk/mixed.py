"""A position of several prices, as paths of them are drawn: its shares, and how those prices move. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class Mixed:
    """By driver the share of what secures and of what is owed, the rest is cash; the covariance and carry of a year."""

    secured: tuple[float, ...]
    owed: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    carry: float

    @property
    def volatility(self) -> float:
        """How much health moves in a year by the shares of now."""
        weights = [a - b for a, b in zip(self.secured, self.owed, strict=True)]
        pulls = (sum(v * c for v, c in zip(weights, row, strict=True)) for row in self.covariance)
        return sqrt(sum(w * pull for w, pull in zip(weights, pulls, strict=True)))

    @property
    def wildest(self) -> float:
        """The variance of the price that moves most."""
        return max(row[i] for i, row in enumerate(self.covariance))
