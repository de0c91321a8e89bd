"""Figures as people read them; JSON as scripts do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from keeper.core.words import brief, cut, money, percent, short, short_address

if TYPE_CHECKING:
    from rich.console import Console  # a running keeper prints no table, and has no use for 4 MiB of it

__all__ = ["Data", "as_json_text", "brief", "cut", "money", "percent", "short", "short_address", "time_text"]

Data = dict[str, Any]


def as_json_text(console: Console, data: Any) -> None:
    """Print JSON that nothing wraps or colours."""
    console.file.write(json.dumps(data, indent=2, default=str) + "\n")


def time_text(timestamp: int) -> str:
    """Return a unix time in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
