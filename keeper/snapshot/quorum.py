"""Several nodes must agree on what decides a spend: asked beside the read where a plan may go out at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from keeper.chain.errors import NodesDisagreeError
from keeper.core.metrics import P
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.venues.ports import Account

Poll = Any
"""Questions under way, in the nodes' own form."""


class SecondOpinion(Protocol):
    """Several nodes that must agree on what decides a spend (``chain.nodes.Nodes``)."""

    async def agree(self, block: BlockRef) -> None:
        """Raise NodesDisagreeError when another node has another block at this number."""

    async def confirm(self, block: BlockRef, to: Address, data: str, answer: str) -> bool:
        """Return whether every node that has the block answers a call the same."""

    def poll(self, block: BlockRef, to: Address, data: str) -> Poll:
        """Begin to ask every node."""

    async def borne_out(self, block: BlockRef, poll: Poll, answer: str) -> bool:
        """Return whether none of those asked answered otherwise."""


@dataclass(slots=True)
class Opinions:
    """What the other nodes say of one block, asked for while it is read."""

    others: SecondOpinion
    _block: BlockRef | None = None
    _agreeing: asyncio.Task[None] | None = None
    _polls: dict[str, Poll] = field(default_factory=dict)

    def begin(self, block: BlockRef, watched: Iterable[tuple[Account[P], P]]) -> None:
        """Ask for the block and for the figures of positions, as they were an earlier block's; wait for nothing."""
        reads = {p.name: asked[0] for account, p in watched if (asked := account.witness(p)) is not None}
        if self._agreeing is not None:
            self._agreeing.cancel()
        if not reads:
            self._block = self._agreeing = None
            return
        self._block = block
        self._agreeing = asyncio.create_task(self.others.agree(block))
        self._agreeing.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._polls = {name: self.others.poll(block, r.to, "0x" + r.data.hex()) for name, r in reads.items()}

    async def are_one(self, account: Account[P], position: P) -> bool:
        """Return whether they were asked about a position at its block, and say what was read.

        Raises NodesDisagreeError when they do not.
        """
        if self._block is None or self._agreeing is None or position.name not in self._polls:
            return False
        if position.block.hash != self._block.hash:
            return False
        await self._agreeing
        asked = account.witness(position)
        if asked is None:
            return False
        _, answer = asked
        if not await self.others.borne_out(self._block, self._polls[position.name], "0x" + answer.hex()):
            number = self._block.number
            raise NodesDisagreeError("nodes", "eth_call", f"the account's figures differ at block {number}")
        return True
