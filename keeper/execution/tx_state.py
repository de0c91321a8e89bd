"""The states of one intent at one nonce, and the moves between them. Pure; the journal stores the names.

planned ─► signed ─► pending ─► mined ─► confirmed
              │         │  ▲      │
              │         │  └──────┘  a reorg takes the receipt away
              ├─────────┼─► reverted         status 0, may be reorganised too
              ├─────────┼─► expired          its nonce was spent by something else, as a block shows
              ├─────────┼─► unseen           its nonce is used, by what no node has shown yet; looked for, and counted
              └─────────┴─► replaced ─► cancelled | expired | mined | reverted

What a reorg took back is pending again, also what had reverted, and what counted as confirmed before a reorg deeper
than that: another history may mine any bytes ever signed at the nonce.
"""

from __future__ import annotations

from enum import Enum


class TxState(Enum):
    """Where an intent stands."""

    PLANNED = "planned"
    SIGNED = "signed"
    PENDING = "pending"
    REPLACED = "replaced"
    UNSEEN = "unseen"
    MINED = "mined"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether its bytes may still land and nothing has been seen of them."""
        return self in (TxState.SIGNED, TxState.PENDING)

    @property
    def has_landed(self) -> bool:
        """Whether it is on the chain, for all that is known."""
        return self in (TxState.MINED, TxState.CONFIRMED, TxState.REVERTED)


_NEXT: dict[TxState, frozenset[TxState]] = {
    TxState.PLANNED: frozenset({TxState.SIGNED}),
    TxState.SIGNED: frozenset(
        {TxState.PENDING, TxState.MINED, TxState.REVERTED, TxState.EXPIRED, TxState.REPLACED, TxState.UNSEEN}
    ),
    TxState.PENDING: frozenset({TxState.MINED, TxState.REVERTED, TxState.EXPIRED, TxState.REPLACED, TxState.UNSEEN}),
    TxState.UNSEEN: frozenset({TxState.MINED, TxState.REVERTED, TxState.EXPIRED, TxState.PENDING}),
    TxState.MINED: frozenset({TxState.CONFIRMED, TxState.PENDING, TxState.REVERTED, TxState.EXPIRED, TxState.UNSEEN}),
    TxState.REVERTED: frozenset({TxState.PENDING, TxState.MINED, TxState.EXPIRED}),
    TxState.REPLACED: frozenset({TxState.CANCELLED, TxState.EXPIRED, TxState.MINED, TxState.REVERTED}),
    TxState.EXPIRED: frozenset({TxState.MINED, TxState.REVERTED}),
    TxState.CANCELLED: frozenset({TxState.MINED, TxState.REVERTED}),
    TxState.CONFIRMED: frozenset({TxState.PENDING, TxState.MINED, TxState.REVERTED, TxState.EXPIRED}),
}


class IllegalMoveError(Exception):
    """A state was left for one it cannot lead to: always a defect, and nothing is written."""


def moved(old: TxState, new: TxState) -> TxState:
    """Return the new state. Raises IllegalMoveError when the old one does not lead there; staying is no move."""
    if old is new or new in _NEXT[old]:
        return new
    raise IllegalMoveError(f"{old.value} does not lead to {new.value}")
