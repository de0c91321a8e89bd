"""Units of money and ratio, all integers, and the divisions that name their rounding."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NewType

Address = NewType("Address", str)
"""A checksummed 20-byte address."""
Wei = NewType("Wei", int)
"""The chain's native currency, 10^-18."""
Amount = NewType("Amount", int)
"""A token's own smallest unit; its scale is the token's decimals."""
Usd = NewType("Usd", int)
"""US dollars, 10^-8."""
Wad = NewType("Wad", int)
"""A ratio, 10^-18."""
Bps = NewType("Bps", int)
"""A ratio, 10^-4."""

WAD = 10**18
BPS = 10_000
USD = 10**8
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
UINT256_MAX = 2**256 - 1
NATIVE = Address("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE")
"""The chain's own currency, where it stands beside tokens: it is paid by value, and nothing approves it."""
INFINITE = Wad(UINT256_MAX)
"""The health factor of an account without debt, as the protocol reports it."""


def mul_div_down(a: int, b: int, c: int) -> int:
    """Return ``a * b / c`` rounded towards zero; operands are not negative. Raises ZeroDivisionError."""
    return a * b // c


def mul_div_up(a: int, b: int, c: int) -> int:
    """Return ``a * b / c`` rounded up; operands are not negative. Raises ZeroDivisionError."""
    return -(-(a * b) // c)


def mul_div_nearest(a: int, b: int, c: int) -> int:
    """Return ``a * b / c`` rounded half up (``(a * b + c / 2) / c``)."""
    return (a * b + c // 2) // c


def smallest(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """Return the smallest integer in ``[low, high]`` for which a monotone predicate holds, else None."""
    if low > high or not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def largest(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """Return the largest integer in ``[low, high]`` for which a monotone predicate holds, else None."""
    if low > high or not holds(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def scaled(value: Decimal, scale: int) -> int:
    """Return a decimal as an integer number of ``1 / scale``, rounded down. ``scaled(Decimal("1.25"), WAD)``."""
    numerator, denominator = value.as_integer_ratio()
    return numerator * scale // denominator


def decimal_of(value: int, decimals: int, places: int | None = None) -> str:
    """Return an integer as plain decimal text, cut (not rounded) to ``places``: ``decimal_of(125, 2) == "1.25"``."""
    sign, digits = ("-" if value < 0 else ""), str(abs(value)).rjust(decimals + 1, "0")
    whole, part = (digits[:-decimals], digits[-decimals:]) if decimals else (digits, "")
    if places is not None:
        part = part[:places].ljust(places, "0")
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def ratio_text(value: int) -> str:
    """Return a Wad ratio for people: four decimals, or ``∞`` for an account without debt."""
    return "∞" if value >= INFINITE else decimal_of(value, 18, 4)


def usd_text(value: int) -> str:
    """Return US dollars for people, with two decimals and separators."""
    whole, part = decimal_of(abs(value), 8, 2).split(".")
    return f"{'-' if value < 0 else ''}${int(whole):,}.{part}"


def gwei_text(value: int) -> str:
    """Return a fee per gas for people."""
    return f"{decimal_of(value, 9, 3)} gwei"


def wei_text(value: int) -> str:
    """Return an amount of native currency for people."""
    return f"{decimal_of(value, 18, 6)} native"


def duration(seconds: float) -> str:
    """Return a time for people: ``40 s``, ``12 min``, ``3 h 5 min``, ``2 d 4 h``."""
    whole = max(0, int(seconds))
    if whole < 2 * MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min"
    if whole < DAY_S:
        return _two(whole // HOUR_S, "h", whole % HOUR_S // MINUTE_S, "min")
    return _two(whole // DAY_S, "d", whole % DAY_S // HOUR_S, "h")


def _two(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large} {unit} {small} {smaller}" if small else f"{large} {unit}"
