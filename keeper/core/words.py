"""Figures as people read them: decimal text cut, never rounded up. Pure; for the terminal and the page alike."""

from __future__ import annotations


def short(value: str | None, places: int = 4) -> str:
    """Return a decimal text cut to some places; ∞ where there is none: a health factor without debt."""
    if value is None:
        return "∞"
    sign, digits = ("-", value[1:]) if value.startswith("-") else ("", value)
    whole, _, part = digits.partition(".")
    return f"{sign}{int(whole):,}{'.' if places else ''}{part[:places].ljust(places, '0')}"


def percent(value: str | None, places: int = 2) -> str:
    """Return a share for people, in percent; ∞ where there is none."""
    return "∞" if value is None else f"{float(value) * 100:.{places}f} %"


def brief(amount: str | None) -> str:
    """Return a token amount for people: six places at most, nothing for nothing, words as they are."""
    if amount is None or not amount[:1].isdigit():
        return amount or ""
    whole, _, part = amount.partition(".")
    part = part[:6].rstrip("0")
    return f"{int(whole):,}{'.' + part if part else ''}" if int(whole) or part else ""


def money(value: str) -> str:
    """Return dollars with separators and two places."""
    sign, digits = ("-", value[1:]) if value.startswith("-") else ("", value)
    whole, _, part = digits.partition(".")
    return f"{sign}${int(whole):,}.{part[:2].ljust(2, '0')}"


def cut(line: str, width: int) -> str:
    """Return a line no longer than a terminal is wide; what is cut off is in --json."""
    return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"


def short_address(address: str) -> str:
    """Return an address as people compare it: its beginning and its end."""
    return f"{address[:6]}…{address[-4:]}"


def small(value: str) -> str:
    """Return an amount of the chain's coin with its first digits, however small: a fee on a rollup is no nothing."""
    whole, _, part = value.partition(".")
    zeros = len(part) - len(part.lstrip("0"))
    kept = part[: zeros + 3 if whole == "0" else 6].rstrip("0")
    return f"{int(whole):,}.{kept}" if kept else whole


def gwei(value: str) -> str:
    """Return a fee per gas."""
    whole, _, part = value.partition(".")
    part = part[:3].rstrip("0")
    return f"{whole}.{part} gwei" if part else f"{whole} gwei"
