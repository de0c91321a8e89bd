"""What must be remembered of a position from block to block: the best value seen, samples of a rate. Pure.

A trail is kept in the journal, so that a trailing stop and an average survive a restart. Which metric remembers what is
the metric's own (``Metric.remember``); each rule has its own place, and reads nothing but that (``Trail.seen``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SAMPLES = 96
"""Samples of a window at most: more say nothing new."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A rate (Wad a year) that held from ``at`` on, unix seconds."""

    at: int
    rate: int


@dataclass(frozen=True, slots=True)
class LookBack:
    """What was remembered for one rule, this block included."""

    best: int | None = None
    samples: tuple[Sample, ...] = ()
    parts: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    """What was sampled of each of its parts, where a metric keeps several."""

    def average(self, now: int, window_s: int) -> int | None:
        """Return the time-weighted average over the last ``window_s``, rounded up.

        None before half of the window was seen, or after a gap of half of it: what was not seen is not zero.
        """
        known, begin = self.samples, now - window_s
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


NOTHING = LookBack()
_PART = "\x1f"
"""Stands between a rule's name, which has no such character, and what a part of it is of."""


def part_of(rule: str, part: str) -> str:
    """Return the name that samples of a part are kept under."""
    return f"{rule}{_PART}{part}"


@dataclass(frozen=True, slots=True)
class Trail:
    """By rule name: the best value since the position was taken, what it is of, and samples of a rate.

    ``of`` says what was looked at, such as a market and a side: what was seen of another is worth nothing.
    """

    best: dict[str, int] = field(default_factory=dict)
    of: dict[str, str] = field(default_factory=dict)
    samples: dict[str, tuple[Sample, ...]] = field(default_factory=dict)

    def seen(self, rule: str) -> LookBack:
        """Return what is remembered for a rule."""
        if not self.best and not self.samples:
            return NOTHING
        begin = part_of(rule, "")
        parts = {k.removeprefix(begin): v for k, v in self.samples.items() if k.startswith(begin)}
        return LookBack(self.best.get(rule), self.samples.get(rule, ()), parts)

    def with_best(self, rule: str, value: int, of: str, *, is_highest: bool) -> Trail:
        """Return the trail with a value seen: the highest is kept, or the lowest. Of something else it begins anew."""
        known = self.best.get(rule) if self.of.get(rule) == of else None
        better = value if known is None else max(known, value) if is_highest else min(known, value)
        if better == known:
            return self
        return replace(self, best={**self.best, rule: better}, of={**self.of, rule: of})

    def with_sample(self, rule: str, at: int, rate: int, window_s: int, of: str) -> Trail:
        """Return the trail with a rate seen; of samples close together only the first is kept."""
        known = self.samples.get(rule, ()) if self.of.get(rule) == of else ()
        if known and at - known[-1].at < max(1, window_s // SAMPLES):
            return self
        recent = tuple(s for i, s in enumerate(known) if i + 1 == len(known) or known[i + 1].at > at - window_s)
        return replace(self, samples={**self.samples, rule: (*recent, Sample(at, rate))}, of={**self.of, rule: of})

    def without(self, rule: str) -> Trail:
        """Return the trail with a rule forgotten: its position is gone."""
        begin = part_of(rule, "")
        gone = {k for k in (*self.best, *self.samples) if k == rule or k.startswith(begin)}
        if not gone:
            return self
        return Trail(
            {k: v for k, v in self.best.items() if k not in gone},
            {k: v for k, v in self.of.items() if k not in gone},
            {k: v for k, v in self.samples.items() if k not in gone},
        )
