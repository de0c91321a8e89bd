"""Approvals that plans left standing are taken back once nobody needs help: never in the way of a rescue."""

from __future__ import annotations

from collections.abc import Collection

from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Amount
from keeper.execution.executor import Executor
from keeper.execution.lane import Lane
from keeper.execution.recovery import Aftermath
from keeper.service.opened import Opened
from keeper.venues.ports import Probe


class Tidy:
    """Looks once after the start and once after each plan; a quiet block costs nothing."""

    def __init__(self, engine: Opened, aftermath: Aftermath) -> None:
        self._engine = engine
        self._aftermath = aftermath
        self._due = set[Address](engine.senders)

    def expect(self, account: Address) -> None:
        """A plan of an account is under way: what it leaves is looked at afterwards."""
        self._due.add(account)

    async def look(
        self,
        account: Address,
        executor: Executor[Lane],
        head: BlockRef,
        needless: Collection[str],
        patience_s: float | None = 0.0,
    ) -> None:
        """Take back what was left, where none of the account's positions asks for anything and nothing is pending.

        Blocks wait for this: what is sent is not waited for, unless ``patience_s`` says so (None: as long as for all).
        Raises NodeError, ReadFailedError, JournalError.
        """
        own = {name for name, of in self._aftermath.spenders.items() if of == account}
        if account not in self._due or not own <= set(needless) or self._engine.terms.mode != "live":
            return
        self._due.discard(account)

        async def read(probe: Probe[tuple[Amount, ...]]) -> tuple[Amount, ...]:
            return await self._engine.reader.read(head, probe)

        for name in filter(self._aftermath.takes_out, own):
            await self._engine.reader.find(name, head)  # what the calls of a plan did is said by its market
        if not await self._aftermath.tidy(account, executor, head.timestamp, read, patience_s):
            self._due.add(account)
