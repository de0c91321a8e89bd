"""Metrics that are an average over a window: each names what it samples, the rest is the same for all. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from keeper.core.metrics import P, Subject
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.trail import LookBack, Trail


class Sampled(NamedTuple):
    """A rate (Wad a year) at one block, and what it is of: of something else the average begins anew."""

    rate: int
    of: str


Sampling = Callable[[P, Subject], Sampled | Doubt | None]
"""What is seen of a position at one block. None: it has nothing of the kind."""


def averaged(sample: Sampling[P]) -> Callable[[P, LookBack, Subject], int | Doubt | None]:
    """Return a measure: the time-weighted average over the subject's window, rounded up.

    Nothing is measured before half of the window was seen without a gap.
    """

    def measure(p: P, seen: LookBack, of: Subject) -> int | Doubt | None:
        now = sample(p, of)
        if not isinstance(now, Sampled):
            return now
        found = seen.average(p.block.timestamp, of.window_s)
        return not_half_seen(of.window_s) if found is None else found

    return measure


def not_half_seen(window_s: int) -> Doubt:
    """Return that too little of a window was seen."""
    return Doubt(Reason.UNMEASURED, f"has not seen half of its window of {window_s} s without a gap yet")


def kept(sample: Sampling[P]) -> Callable[[Trail, str, P, Subject, bool], Trail]:
    """Return what keeps the samples in a trail."""

    def remember(trail: Trail, rule: str, p: P, of: Subject, _: bool) -> Trail:
        now = sample(p, of)
        if isinstance(now, Doubt):
            return trail
        if now is None:
            return trail.without(rule)
        return trail.with_sample(rule, p.block.timestamp, now.rate, of.window_s, now.of)

    return remember
