"""Plans under way: which signer carries out whose, and since when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from keeper.core.units import Address


@dataclass(frozen=True, slots=True)
class Flying:
    """One plan under way: who signs it, and the position or book it is about."""

    signer: Address
    name: str


@dataclass(slots=True)
class Flights:
    """All of them. Plans of one block go out together; what an earlier block began keeps its signer busy."""

    _under_way: dict[asyncio.Task[Any], Flying] = field(default_factory=dict)
    _fresh: set[asyncio.Task[Any]] = field(default_factory=set)
    """Those that began at the block that is being judged."""

    def __contains__(self, signer: object) -> bool:
        return any(one.signer == signer for one in self._under_way.values())

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def begin(self, signer: Address, name: str, task: asyncio.Task[Any]) -> None:
        """A plan is being sent."""
        self._under_way[task] = Flying(signer, name)

    def joins(self, task: asyncio.Task[Any]) -> None:
        """It was decided at the block that is being judged: others of the same signer may go out with it."""
        self._fresh.add(task)

    def settle(self) -> None:
        """From now on all that is under way keeps its signer busy."""
        self._fresh = set()

    def end(self, task: asyncio.Task[Any]) -> str | None:
        """It came to its end; return the position or book it was about."""
        self._fresh.discard(task)
        ended = self._under_way.pop(task, None)
        return ended.name if ended else None

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that send."""
        return list(self._under_way)

    def signers(self) -> set[Address]:
        """Return who signs anything under way."""
        return {one.signer for one in self._under_way.values()}

    def names(self) -> frozenset[str]:
        """Return the positions and books with a plan under way."""
        return frozenset(one.name for one in self._under_way.values())

    def busy(self) -> dict[Address, str]:
        """Return the signers that carry out what an earlier block began, each with one position of it."""
        return {one.signer: one.name for task, one in self._under_way.items() if task not in self._fresh}
