"""When to wait, say it again, offer more, or stop: a pure object, no I/O and no clock of its own.

Rules (after op-service txmgr, OpenZeppelin Relayer and Chainlink TXM):
identical bytes are said again every ``rebroadcast_s``; after ``bump_s`` without being mined the offer is raised; an
offer that cannot be raised is still said again; after ``give_up_s`` the owner hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from keeper.chain.fees import Fees


class Move(Enum):
    """What to do next with a transaction that is not mined."""

    WAIT = "wait"
    REBROADCAST = "rebroadcast"
    BUMP = "bump"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds between the moves."""

    rebroadcast_s: float = 12.0
    bump_s: float = 48.0
    give_up_s: float = 600.0
    receipt_lag_s: float = 5.0
    """How long a receipt may be missing after its nonce counts as used."""


@dataclass(frozen=True, slots=True)
class SendState:
    """One transaction on its way: the newest offer, and when what was last done."""

    fees: Fees
    started_at: float
    offered_at: float
    said_at: float

    @staticmethod
    def begun(fees: Fees, now: float) -> SendState:
        """Return the state right after the first broadcast."""
        return SendState(fees, now, now, now)

    def next_move(self, now: float, timings: Timings) -> Move:
        """Return what is due at ``now``."""
        if now - self.started_at >= timings.give_up_s:
            return Move.GIVE_UP
        if now - self.offered_at >= timings.bump_s:
            return Move.BUMP
        if now - self.said_at >= timings.rebroadcast_s:
            return Move.REBROADCAST
        return Move.WAIT

    def said(self, now: float) -> SendState:
        """Return the state after the same bytes were broadcast again."""
        return replace(self, said_at=now)

    def bumped(self, fees: Fees, now: float) -> SendState:
        """Return the state after a higher offer went out."""
        return replace(self, fees=fees, offered_at=now, said_at=now)

    def capped(self, now: float) -> SendState:
        """Return the state after a higher offer was wanted but is not allowed: ask again a bump later."""
        return replace(self, offered_at=now)
