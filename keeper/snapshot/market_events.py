"""What a market says of itself: reserves listed, terms and addresses changed. Then what is known is found anew.

The contracts of a market's administration emit nothing else, so that any event of theirs is a reason to look again.
They are pushed where a node pushes; where none does, and after pushes may have been missed, their logs are asked for
every ten minutes of chain time. Neither is on the path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from keeper.chain.blocks import Blocks
from keeper.chain.errors import NodeError
from keeper.chain.pushes import Pushed
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address

EVERY_S: Final = 600


class MarketChanges:
    """Listens to some contracts once it is asked to, and calls ``on_change``."""

    def __init__(self, blocks: Blocks, on_change: Callable[[], None]) -> None:
        self._blocks = blocks
        self._on_change = on_change
        self._addresses: tuple[Address, ...] = ()
        self._pushed: Pushed | None = None
        self._looked: BlockRef | None = None
        self._has_gap = False
        self._task: asyncio.Task[None] | None = None

    def saw(self, block: BlockRef, addresses: tuple[Address, ...]) -> None:
        """Note a block and who is listened to; ask for logs in the background when nobody pushes and it is time."""
        if addresses != self._addresses:
            self._listen(addresses)
            self._looked = self._looked or block
        if self._looked is None or (self._task is not None and not self._task.done()):
            return
        is_told = self._pushed is not None and self._pushed.is_live and not self._has_gap
        if not is_told and (self._has_gap or block.timestamp - self._looked.timestamp >= EVERY_S):
            self._task = asyncio.create_task(self._look(self._looked, block))
        if is_told:
            self._looked = block

    async def close(self) -> None:
        """Stop listening."""
        if self._pushed is not None:
            self._pushed.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _listen(self, addresses: tuple[Address, ...]) -> None:
        if self._pushed is not None:
            self._pushed.cancel()
        self._addresses = addresses
        self._pushed = self._blocks.subscribe_logs(addresses, (), lambda _: self._on_change(), self._missed)

    def _missed(self) -> None:
        self._has_gap = True

    async def _look(self, since: BlockRef, block: BlockRef) -> None:
        """Ask for the logs of the blocks in between. What cannot be known is taken for a change."""
        try:
            wanted = {"address": list(self._addresses)}
            found = await self._blocks.pages.all(since.number + 1, block.number, wanted)
        except NodeError:
            found = None
        self._looked, self._has_gap = block, False
        if found is None or found:
            self._on_change()
