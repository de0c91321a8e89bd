"""How a report says its figures: rounded to what the market knows; what is not known as ``{"unknown": why}``. Pure."""

from __future__ import annotations

from typing import Any

from keeper.core.prices import Doubt

Document = dict[str, Any]
"""Plain data, as JSON holds it."""
DIGITS = 9
"""More would be the machine's and not the market's."""


def said(found: float | Doubt | None) -> Any:
    """Return a share or a time, or why it is not known."""
    if isinstance(found, Doubt):
        return {"unknown": found.detail}
    return None if found is None else rounded(found)


def money(found: int | Doubt | None) -> Any:
    """Return dollars as text, or why they are not known; nothing is nothing."""
    if isinstance(found, Doubt):
        return {"unknown": found.detail}
    return str(found or 0)


def rounded(x: float) -> float:
    """Return a figure with the digits that a report has."""
    return float(f"{x:.{DIGITS}g}")
