"""What rules about books look at, each a Metric. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from keeper.core.ahead import forecast
from keeper.core.book.ahead import BOOK_AHEAD, LOOKING_AHEAD
from keeper.core.book.position import BookPosition
from keeper.core.metrics import Metric, Subject, Target, Trigger
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.scales import Beyond, Range, Unit
from keeper.core.trail import LookBack
from keeper.core.units import decimal_of


def _delta(p: BookPosition, _: LookBack, of: Subject) -> int | Doubt:
    """Return what a book is exposed to, Wad whole underlyings; a Doubt where the sum leaves somebody out.

    That nobody in the book knows the underlying is no delta of zero.
    """
    if p.exposure.doubts:
        return p.exposure.doubts[0]
    known = dict.fromkeys((*sorted({part.underlying for part in p.exposure.parts}), *p.markets))
    if of.symbol not in (*known, *p.exposure.prices):
        return Doubt(Reason.RULE_UNDECIDABLE, f"{of.symbol}, the book has {', '.join(known) or 'nothing'}")
    return p.exposure.delta(of.symbol or "")


def _outside(trigger: Trigger[BookPosition], measured: str, bound: str) -> str:
    return f"delta {measured} {trigger.of.symbol} is outside ±{bound}"


def _units(value: int) -> str:
    return decimal_of(value, 18, 4)


def _delta_at(_: BookPosition | None, target: Target[BookPosition]) -> int | None:
    return target.value if target.metric is DELTA else None


DELTA: Metric[BookPosition] = Metric(
    key="delta",
    words="delta",
    summary="What the book's positions and wallets are exposed to in all.",
    unit=Unit.SIZE,
    sides=(Beyond.OUTSIDE,),
    measure=_delta,
    at_target=_delta_at,
    risk=Beyond.OUTSIDE,
    valid=Range.POSITIVE,
    named="underlying",
    bound_key="band",
    volatility=partial(forecast, BOOK_AHEAD),
    says=_outside,
    figure=_units,
)
METRICS: Mapping[str, Metric[BookPosition]] = {m.key: m for m in (DELTA, *LOOKING_AHEAD)}
"""By settings key."""
