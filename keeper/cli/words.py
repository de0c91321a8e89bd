"""Figures as people read them; JSON as scripts do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

Data = dict[str, Any]


def as_json_text(console: Console, data: Any) -> None:
    """Print JSON that nothing wraps or colours."""
    console.file.write(json.dumps(data, indent=2, default=str) + "\n")


def short(value: str | None) -> str:
    """Return a decimal text cut to four places; ∞ for a health factor without debt."""
    if value is None:
        return "∞"
    whole, _, part = value.partition(".")
    return f"{int(whole):,}.{part[:4].ljust(4, '0')}"


def brief(amount: str | None) -> str:
    """Return a token amount for people: six places at most, nothing for nothing, words as they are."""
    if amount is None or not amount[:1].isdigit():
        return amount or ""
    whole, _, part = amount.partition(".")
    part = part[:6].rstrip("0")
    return f"{int(whole):,}{'.' + part if part else ''}" if int(whole) or part else ""


def money(value: str) -> str:
    """Return dollars with separators and two places."""
    whole, _, part = value.partition(".")
    return f"${int(whole):,}.{part[:2].ljust(2, '0')}"


def time_text(timestamp: int) -> str:
    """Return a unix time in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")


def cut(line: str, width: int) -> str:
    """Return a line no longer than a terminal is wide; what is cut off is in --json."""
    return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"


def short_address(address: str) -> str:
    """Return an address as people compare it: its beginning and its end."""
    return f"{address[:6]}…{address[-4:]}"
