"""What is known of an account that others act for: a Safe, as it was at a block."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.reasons import Reason
from keeper.core.units import Address

OLDEST = (1, 3)
"""The first whose signatures name the chain."""


@dataclass(frozen=True, slots=True)
class OwnersOfSafe:
    """Who owns a Safe, and how many of them have to sign."""

    owners: tuple[Address, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class SafeState:
    """A Safe at one block."""

    nonce: int
    """Its own: what is signed for a lower one is void for good."""
    threshold: int
    """Signatures it asks for."""
    is_owner: bool
    """Whether who acts for it here is one of its owners."""
    guard: Address | None
    """A contract that has a say in each of its transactions."""
    modules: tuple[Address, ...] = ()
    """Contracts that may act for it without any signature."""
    version: str = ""
    owners: int | None = None
    """How many there are: each may sign what the others do not know of. None where it does not say."""

    @property
    def asks_for(self) -> str:
        """In words, how many of how many owners have to sign."""
        return f"{self.threshold} signature{'s' * (self.threshold != 1)}" + (
            "" if self.owners is None else f" of {self.owners} owner{'s' * (self.owners != 1)}"
        )

    @property
    def fault(self) -> tuple[Reason, str] | None:
        """Why nothing can be done for it; None where it can."""
        if not self.is_owner:
            return Reason.SAFE_NOT_OURS, "the signer is none of its owners"
        if self.threshold != 1:
            return Reason.SAFE_THRESHOLD, f"it asks for {self.asks_for}"
        if self.version and _numbers(self.version) < OLDEST:
            return Reason.SAFE_TOO_OLD, f"version {self.version}"
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """Return what a version begins with: letters behind it (``1.3.0+L2``) say nothing here."""
    parts = version.split("+", maxsplit=1)[0].split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)
