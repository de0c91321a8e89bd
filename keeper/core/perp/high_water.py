"""What must be remembered of a position from block to block: the best price seen, the funding paid. Pure.

A trail is kept in the journal, so that a trailing stop and an average survive a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

SAMPLES = 96
"""Samples of a window at most: more say nothing new."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A funding rate (Wad a year, positive is paid) that held from ``at`` on, unix seconds."""

    at: int
    rate: int


@dataclass(frozen=True, slots=True)
class Trail:
    """By rule name: the best price since the position was taken (10^-8 dollars), what it is of, and funding samples.

    ``of`` is the market and side that was looked at: what was seen of another is worth nothing.
    """

    best: dict[str, int] = field(default_factory=dict)
    of: dict[str, str] = field(default_factory=dict)
    samples: dict[str, tuple[Sample, ...]] = field(default_factory=dict)

    def with_price(self, rule: str, price: int, market: str, *, is_long: bool) -> Trail:
        """Return the trail with a price seen. A position that turned round, or of another market, begins anew."""
        of = _of(market, is_long=is_long)
        known = self.best.get(rule) if self.of.get(rule) == of else None
        better = price if known is None else max(known, price) if is_long else min(known, price)
        if better == known:
            return self
        return replace(self, best={**self.best, rule: better}, of={**self.of, rule: of})

    def with_rate(self, rule: str, at: int, rate: int, window_s: int, market: str, *, is_long: bool) -> Trail:
        """Return the trail with a funding rate seen; of samples close together only the first is kept."""
        of = _of(market, is_long=is_long)
        known = self.samples.get(rule, ()) if self.of.get(rule) == of else ()
        if known and at - known[-1].at < max(1, window_s // SAMPLES):
            return self
        recent = tuple(s for i, s in enumerate(known) if i + 1 == len(known) or known[i + 1].at > at - window_s)
        return replace(self, samples={**self.samples, rule: (*recent, Sample(at, rate))}, of={**self.of, rule: of})

    def without(self, rule: str) -> Trail:
        """Return the trail with a rule forgotten: its position is gone."""
        if rule not in self.best and rule not in self.samples:
            return self
        return Trail(
            {k: v for k, v in self.best.items() if k != rule},
            {k: v for k, v in self.of.items() if k != rule},
            {k: v for k, v in self.samples.items() if k != rule},
        )

    def average_funding(self, rule: str, now: int, window_s: int) -> int | None:
        """Return the time-weighted average rate over the last ``window_s``, rounded up.

        None before half of the window was seen, or after a gap of half of it: what was not seen is not zero.
        """
        known, begin = self.samples.get(rule, ()), now - window_s
        if not known or now - known[0].at < window_s // 2:
            return None
        total = seen = 0
        for sample, until in zip(known, (*(s.at for s in known[1:]), now), strict=True):
            start = max(sample.at, begin)
            if until - start > window_s // 2:
                return None
            if until > start:
                total += sample.rate * (until - start)
                seen += until - start
        return -(-total // seen) if seen else known[-1].rate


def _of(market: str, *, is_long: bool) -> str:
    return f"{market} {'long' if is_long else 'short'}"
