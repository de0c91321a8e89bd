"""The block everything of a cycle belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.units import Wei


@dataclass(frozen=True, slots=True)
class BlockRef:
    """The one block every figure of a snapshot belongs to. ``timestamp`` is the only clock of the core."""

    chain_id: int
    number: int
    hash: str
    parent_hash: str
    timestamp: int
    base_fee: Wei
