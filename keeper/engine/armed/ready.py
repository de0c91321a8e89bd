"""A plan that was made ready, of whatever kind: until when it stands, and what it comes to on a fresh state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from keeper.core.armed.bounds import Bounds
from keeper.venues.ports import Read

if TYPE_CHECKING:
    from keeper.core.snapshot import Snapshot
    from keeper.engine.engine import Engine

I_contra = TypeVar("I_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Armed(Generic[I_contra, R_co]):
    """A plan that passed its trial with the oracle's answer overridden, and its bounds."""

    label: str
    bounds: Bounds[Any]
    nonce: int | None
    """The signer's next nonce then: an account that signed anything since is not what was rehearsed."""
    reads: tuple[Read, ...]
    """What it rests on beside the position: read with everything else."""
    fitted: Callable[[Engine, Snapshot, I_contra], R_co]
    """Return it as it may be sent on a fresh state. Raises OutOfBoundsError."""


AnyArmed = Armed[Any, Any]
