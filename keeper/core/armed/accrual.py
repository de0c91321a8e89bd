"""What an oracle's own event says: a position can be carried on to its block without a read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answered:
    """A price as the oracle's own event gives it: 8 decimals, its round, and its time."""

    answer: int
    round_id: int
    updated_at: int
