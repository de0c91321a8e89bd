"""Single words of a line, understood: amounts, shares, pairs, numbers, times. Each ends with what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from keeper.cli.common import Exit, fail
from keeper.core.units import duration
from keeper.settings.fields import as_seconds

MOST_RATE = 100
"""Ten thousand percent a year: above it nobody lends, and figures are none."""


def amounts(option: str, words: Sequence[str]) -> dict[str, str]:
    """Return amounts by symbol, of SYMBOL=AMOUNT."""
    found = dict[str, str]()
    for word in words:
        symbol, is_named, amount = word.partition("=")
        if not is_named or not symbol:
            fail(Exit.BAD_SETTINGS, f"{option} {word}: write SYMBOL=AMOUNT, like WETH=10")
        found[symbol.upper()] = number(f"{option} {symbol}", amount)
    return found


def share_of(option: str, words: Sequence[str], symbol: str, usual: str) -> str:
    """Return what a word says of an asset: SYMBOL=SHARE, or one share for all."""
    found = usual
    for word in words:
        name, is_named, value = word.rpartition("=")
        if not is_named or name.upper() == symbol:
            found = number(option, value)
    if not 0 <= Decimal(found) < 1:
        fail(Exit.BAD_SETTINGS, f"{option} {found}: is a share between 0 and 1; write 83 % as 0.83")
    return found


def pair(option: str, word: str) -> tuple[str, str]:
    """Return the numbers of TRIGGER:TARGET."""
    first, is_pair, second = word.partition(":")
    if not is_pair:
        fail(Exit.BAD_SETTINGS, f"{option} {word}: write TRIGGER:TARGET, like 1.25:1.60")
    return number(option, first), number(option, second)


def number(option: str, word: str) -> str:
    """Return a number that is none below zero, as it was written."""
    try:
        found = Decimal(word)
    except InvalidOperation:
        fail(Exit.BAD_SETTINGS, f"{option} {word!r}: is no number")
    if not found.is_finite() or found < 0 or found >= Decimal(10) ** 30:
        fail(Exit.BAD_SETTINGS, f"{option} {word!r}: is no usable number")
    return str(found)


def rate(option: str, word: str) -> str:
    """Return interest of a year, as a share: 0.05 is 5 %."""
    found = number(option, word)
    if Decimal(found) > MOST_RATE:
        fail(Exit.BAD_SETTINGS, f"{option} {word}: is more than {MOST_RATE * 100} % a year; write 5 % as 0.05")
    return found


def seconds(option: str, word: str, most: int | None = None) -> Decimal:
    """Return a length of time, like 10m."""
    try:
        found = as_seconds(word)
    except ValueError as error:
        fail(Exit.BAD_SETTINGS, f"{option}: {error}")
    if most is not None and found > most:
        fail(Exit.BAD_SETTINGS, f"{option} {word}: is longer than {duration(most)}, which is the most")
    return found
