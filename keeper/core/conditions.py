"""Something that is wrong for a while: when the owner hears of it, hears of it again, and hears that it is over. Pure.

What begins is news; so is what gets worse. What goes on is said again once in a while, with a count. What comes and
goes is one thing: it is over only when it has been quiet for a time, and for a longer one each time it comes back.
Time is passed in, in seconds since 1970; a clock that was put back counts as time gone by.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from keeper.core.units import mul_div_down

SETTLE_S = 10.0
"""Quiet for so long is over; twice as long after each relapse."""
WORSE_PERCENT = 75
"""A distance to liquidation that is so much of what was last reported is worse."""
NEAR = 10**16
"""Below this distance (1 %, Wad) only liquidation itself is worse."""
MOST_RELAPSES = 16
FORGOTTEN_S = 3600.0
"""What was not seen for so long, and was not said to be over, begins anew."""


class News(Enum):
    """Why the owner hears of it now."""

    BEGUN = "begun"
    WORSE = "worse"
    STILL = "still"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Condition:
    """One trouble, from its beginning until it is forgotten."""

    key: str
    subject: str
    """Whose it is: a position, a book under a rule, the node."""
    name: str
    """What it is called when it is over."""
    since: float
    told_at: float
    last_on: float
    quiet_since: float | None = None
    """When it was first seen not to be there; None while it is."""
    times: int = 0
    """How often it was seen since the owner last heard of it."""
    spells: int = 0
    """How often it began since then."""
    distance: int | None = None
    """How far from liquidation the subject was when the owner last heard of it."""
    relapses: int = 0
    over_at: float | None = None
    """When the owner heard that it is over; None before."""

    def settle_s(self, repeat_s: float) -> float:
        """Return how long it has to be quiet to be over."""
        return min(max(repeat_s, SETTLE_S), SETTLE_S * (1 << self.relapses))


def on(before: Condition | None, fresh: Condition, repeat_s: float, worst: int | None) -> tuple[Condition, News | None]:
    """Return a condition seen at ``fresh.last_on``, and why the owner hears of it, if he does.

    ``worst`` is how near liquidation the subject was when anything of it was last reported.
    """
    now = fresh.last_on
    if before is None or not 0 <= now - before.last_on <= max(repeat_s, FORGOTTEN_S):
        return fresh, News.BEGUN
    if before.over_at is not None:
        is_relapse = 0 <= now - before.over_at < repeat_s
        relapses = min(MOST_RELAPSES, before.relapses + 1) if is_relapse else 0
        return replace(fresh, relapses=relapses), News.BEGUN
    spells = before.spells + (before.quiet_since is not None)
    seen = replace(before, name=fresh.name, last_on=now, quiet_since=None, times=before.times + 1, spells=spells)
    if is_worse(fresh.distance, worst):
        return _stated(seen, now, fresh.distance), News.WORSE
    if not 0 <= now - before.told_at < repeat_s:
        return _stated(seen, now, fresh.distance), News.STILL
    return seen, None


def off(before: Condition, now: float, repeat_s: float) -> tuple[Condition | None, News | None]:
    """Return a condition that is not there at this moment, None once it is forgotten; and whether it is now over."""
    if before.over_at is not None:
        return (before if 0 <= now - before.over_at < repeat_s else None), None
    quiet_since = now if before.quiet_since is None else before.quiet_since
    after = replace(before, quiet_since=quiet_since)
    if 0 <= now - quiet_since < before.settle_s(repeat_s):
        return after, None
    return replace(after, over_at=now), News.OVER


def is_worse(distance: int | None, worst: int | None) -> bool:
    """Return whether liquidation is so much nearer than when the owner last heard that it is news."""
    if distance is None or worst is None or worst <= 0:
        return False
    return distance <= 0 or (distance >= NEAR and distance <= mul_div_down(worst, WORSE_PERCENT, 100))


def plain(of: Condition) -> dict[str, Any]:
    """Return a condition as JSON can hold it."""
    return {k: str(v) if k == "distance" and v is not None else v for k, v in asdict(of).items()}


def from_plain(given: Any) -> Condition | None:
    """Return a condition that was written down; None for what is none."""
    try:
        distance = given.get("distance")
        return Condition(**{**given, "distance": None if distance is None else int(distance)})
    except (AttributeError, TypeError, ValueError):
        return None


def _stated(of: Condition, now: float, distance: int | None) -> Condition:
    nearest = of.distance if distance is None else distance
    return replace(of, told_at=now, times=0, spells=0, distance=nearest)
