"""The engine on its real parts: what the daemon and the commands work with."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from keeper.chain import fee_market
from keeper.chain.client import Upstream
from keeper.chain.tolls import Toll, Tolls
from keeper.core.units import Address, Wei
from keeper.engine.engine import Engine
from keeper.execution.executor import Executor
from keeper.execution.lane import Lane
from keeper.journal import Journal
from keeper.journal.lease import Lease
from keeper.snapshot.reader import Watch


@dataclass(slots=True)
class Opened(Engine):
    """An engine whose reader, journal and lanes are the real ones."""

    reader: Watch
    journal: Journal
    senders: dict[Address, Executor[Lane]] = field(default_factory=dict)
    leases: list[Lease] = field(default_factory=list)
    """The right to sign for each account, among keepers that share a database."""
    parts: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What ends with it: what is opened later is put upon it."""

    async def hold_leases(self) -> None:
        """Make sure that nobody else signs for these accounts. Raises JournalError: then nothing is decided."""
        for lease in self.leases:
            await lease.hold()


class RealClock:
    """The process's own time."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Let others work for a while."""
        await asyncio.sleep(seconds)


class NodeFees:
    """What nodes say that gas costs, and what a rollup charges on top."""

    def __init__(self, node: Upstream) -> None:
        self._node = node
        self._tolls = Tolls(node)

    async def market(self, base_fee: Wei) -> fee_market.FeeMarket:
        """Return base fees and tips by several blocks and nodes. Raises NodeError."""
        return await fee_market.read(self._node, base_fee)

    async def toll(self) -> Toll:
        """Return what a rollup charges for its parent chain; the one before where the node does not say."""
        return await self._tolls.now()

    @property
    def last_toll(self) -> Toll:
        """The newest toll that is known."""
        return self._tolls.last
