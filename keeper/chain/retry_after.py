"""What an HTTP status says about asking again: which is meant as "too many", and for how long."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime
from typing import Final

TOO_MANY: Final = 429


def seconds_of(retry_after: str | None, date: str | None = None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date; None where it makes no sense.

    A date is told from the answer's own ``date``, where it has one: this machine's clock may be hours off.
    """
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after)) if math.isfinite(float(retry_after)) else None
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(retry_after).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, until - (_stated(date) or time.time()))


def _stated(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
