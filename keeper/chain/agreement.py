"""What several nodes have to say alike: which block there is at a number, and what a call answers there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from keeper.chain.errors import (
    NodeError,
    NodesDisagreeError,
)
from keeper.chain.heads import Heads
from keeper.chain.member import Member, as_is
from keeper.chain.record import Aside
from keeper.chain.tasks import HEDGE_S, Tasks, at_most
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address

Poll = dict[Member, asyncio.Task[Any]]
"""Who was asked, and the answers under way."""


class Agreement:
    """Asked before money moves. ``name`` returns what the nodes are called together."""

    def __init__(self, heads: Heads, tasks: Tasks, name: Callable[[], str]) -> None:
        self._heads = heads
        self._tasks = tasks
        self._name = name

    async def agree(self, block: BlockRef) -> None:
        """Raise NodesDisagreeError when a healthy node has another block at this number.

        One that does not have the block yet, or does not answer, does not disagree; nor does a node with itself.
        """
        nodes = self._heads.healthy()
        if len(nodes) == 1:
            return
        unsure = [m for m in nodes if m.record.history.hashes.get(block.number) != block.hash]
        await at_most([self._tasks.begin(m.learn(block.number)) for m in unsure], HEDGE_S)
        known = {m.name: m.record.history.hashes.get(block.number, block.hash) for m in nodes}
        self._heads.judge()
        if any(hash_ != block.hash for hash_ in known.values()):
            said = ", ".join(f"{name} has {hash_}" for name, hash_ in known.items() if hash_ != block.hash)
            raise NodesDisagreeError(
                self._name(), "eth_getBlockByNumber", f"block {block.number} is {block.hash}, but {said}"
            )

    async def confirm(self, block: BlockRef, to: Address, data: str, answer: str) -> bool:
        """Return whether every healthy node that has the block gives the same answer to an eth_call at it.

        True as well where there is only one, and where no other answers. A minority is set aside: it will not stand
        in the way twice.
        """
        return await self.borne_out(block, self.poll(block, to, data), answer)

    def poll(self, block: BlockRef, to: Address, data: str) -> Poll:
        """Begin to ask every healthy node that has the block; none where one is alone."""
        call, at = {"to": to, "data": data}, {"blockHash": block.hash}
        nodes = self._heads.having("eth_call", (call, at))
        return {m: self._tasks.begin(m.ask(as_is, "eth_call", call, at)) for m in nodes} if len(nodes) > 1 else {}

    async def borne_out(self, block: BlockRef, begun: Poll, answer: str) -> bool:
        """Return whether nobody who was asked answered otherwise. See ``confirm``."""
        await at_most(begun.values(), HEDGE_S)
        outcomes = {m: t.result() for m, t in begun.items() if t.done()}
        said = {m: str(o).lower() for m, o in outcomes.items() if not isinstance(o, NodeError)}
        different = [m for m, result in said.items() if result != answer.lower()]
        if 2 * len(different) < len(said):
            for member in different:
                member.leave(Aside.LYING, f"answered otherwise than the others at block {block.number}")
        return not different

    def settle(self, block: BlockRef, to: Address, data: str) -> None:
        """Ask all nodes, where there are three or more, and set aside the few that differ from most. Does not wait."""

        async def work() -> None:
            begun = self.poll(block, to, data)
            await at_most(begun.values(), HEDGE_S)
            said = [str(t.result()).lower() for t in begun.values() if t.done() and isinstance(t.result(), str)]
            most, count = Counter(said).most_common(1)[0] if said else ("", 0)
            if 2 * count > len(said) > 2:
                await self.borne_out(block, begun, most)

        if len(self._heads.readers) > 2:
            self._tasks.begin(work())
