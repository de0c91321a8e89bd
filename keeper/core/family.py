"""What is kept: loans, perpetual positions, and books of both."""

from __future__ import annotations

from enum import Enum


class Family(Enum):
    """The kind of a position, of a venue's positions, or of what a rule is about."""

    LENDING = "lending"
    PERP = "perp"
    BOOK = "book"
