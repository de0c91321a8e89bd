"""The time of a row, as people write it: unix seconds, milli-, micro- or nanoseconds, or a date. UTC. Pure."""

from __future__ import annotations

import re
from calendar import monthrange, timegm
from decimal import Decimal, InvalidOperation

from keeper.core.risk.series import MOST_TIME

_DATE = re.compile(
    r"(?P<year>\d{4})[-/](?P<month>\d\d?)[-/](?P<day>\d\d?)"
    r"(?:[T ](?P<hour>\d\d?)(?::(?P<minute>\d\d))?(?::(?P<second>\d\d)(?:\.\d+)?)?(?:-(?P<half>[AP])M)?)?"
    r"(?: ?(?:Z|UTC|(?P<sign>[+-])(?P<ahead>\d\d):?(?P<minutes>\d\d)))?"
)
"""``2022-11-08``, with a time or without; a day's half as CryptoDataDownload wrote it once; a zone, or none: UTC."""


def time_of(cell: str) -> int:
    """Return unix seconds. Raises ValueError for what is no time."""
    try:
        at = int(Decimal(cell))
    except (InvalidOperation, ValueError, OverflowError):
        return _date(cell)
    while at >= MOST_TIME:  # milliseconds, microseconds as Binance has them since 2025, nanoseconds
        at //= 1_000
    return at


def _date(cell: str) -> int:
    found = _DATE.fullmatch(cell)
    if found is None:
        raise ValueError(f"{cell[:40]!r} is no date")
    year, month, day, hour, minute, second, ahead, minutes = (
        int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second", "ahead", "minutes")
    )
    if found["half"]:
        hour = hour % 12 + 12 * (found["half"] == "P")
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        raise ValueError(f"{cell[:40]!r} is no day of any year")
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{cell[:40]!r} is no time of a day")
    zone = (ahead * 60 + minutes) * 60
    return timegm((year, month, day, hour, minute, second)) - (-zone if found["sign"] == "-" else zone)
