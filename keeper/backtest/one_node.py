"""What every reader on paper has in common: there is one node, and it shows the block that is being played."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from keeper.core.lending.rules import Rule
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.venues.ports import Answer, Probe, Read

T = TypeVar("T")


class OneNode:
    """Answers that ask nobody."""

    def __init__(self, block: Callable[[], BlockRef]) -> None:
        self._block = block
        self.also: tuple[Read, ...] = ()

    async def head(self) -> BlockRef:
        """Return the block that is being played."""
        return self._block()

    async def read(self, block: BlockRef, probe: Probe[T]) -> T:
        """Return what a probe finds."""
        return probe.decode(await self.answers(block, probe.reads))

    async def confirmed(self, block: BlockRef, probe: Probe[T]) -> T:
        """Return the same: there is one node."""
        return await self.read(block, probe)

    async def answers(self, block: BlockRef, reads: Sequence[Read]) -> list[Answer]:
        """Return that all is as it stands now."""
        return [b"" for _ in reads]

    async def code(self, block: BlockRef, address: Address) -> bytes:
        """Return that an account is a plain one."""
        return b""

    def follow(self, rules: tuple[Rule, ...]) -> None:
        """There is no fleet."""

    def keep_close(self, names: Iterable[str]) -> None:
        """All is read in full."""

    def compare_first(self, names: Iterable[str]) -> None:
        """There is one node."""
