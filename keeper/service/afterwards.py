"""What becomes of plans besides their positions: taken up, followed, called off, brought back, written down.

Before a block is decided and after it, never in between: nothing here decides what to do about a position.
Each account is seen to in a task of its own (``abreast``): a signer that sleeps holds up neither blocks nor others.
"""

from __future__ import annotations

from collections.abc import Collection

from keeper.chain.errors import NodeError
from keeper.core.carry_on import until_target
from keeper.core.family import Family
from keeper.core.notices import sentence
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.execution.course import SendFailedError
from keeper.execution.executor import Executor
from keeper.execution.lane import Lane
from keeper.execution.recovery import Aftermath, CarryOn
from keeper.execution.unsigned import UnsignedError
from keeper.journal import JournalError
from keeper.service.abreast import Abreast
from keeper.service.opened import Opened
from keeper.service.tidy import Tidy
from keeper.settings import Settings
from keeper.venues.ports import ReadFailedError


class Afterwards:
    """Of every lane of one engine. Everything raises NodeError and JournalError where it does not say otherwise."""

    def __init__(self, engine: Opened, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

        def takes_out(name: str) -> bool:
            """Whether plans take anything out of it: of a loan alone; what the settings no longer have is none."""
            known = engine.reader.positions.get(name)
            return known is not None and known.family is Family.LENDING

        self._aftermath = Aftermath(
            engine.journal, engine.observer, self._spenders(), engine.terms.max_fee, takes_out=takes_out
        )
        self._tidy = Tidy(engine, self._aftermath)
        self.loans = CarryOn(engine.journal, engine.state.rules, until_target)
        self.perps = CarryOn(engine.journal, engine.perps.rules, until_target)
        self.books = CarryOn(engine.journal, engine.perps.book_rules, until_target)
        self.fell_short = False
        """Whether a plan may have left something outside its position."""
        self._last: BlockRef | None = None
        self._abreast = Abreast(engine)
        self._outside = set[Address]()
        """Accounts whose positions lack what could not be returned to them."""
        self._late = set[Address]()
        """Accounts for which that took longer than a block waits."""
        self._reorged = set[Address]()
        """Signers whose past is to be looked at on the history there is now."""

    def go_by(self, settings: Settings) -> None:
        """Go on by other settings."""
        self._settings = settings
        self._aftermath.spenders, self._aftermath.cap = self._spenders(), settings.max_fee
        self.loans.go_by(settings.rules)
        self.perps.go_by(settings.perp_rules)
        self.books.go_by(settings.book_rules)

    def _spenders(self) -> dict[str, Address]:
        return {name: position.spender for name, position in self._engine.reader.positions.items()}

    async def reconcile(self, within_s: float | None = None) -> None:
        """Settle what an earlier run or an outage left behind, before anything new is decided.

        Past ``within_s`` other accounts go on, and this one is busy until it is settled.
        """
        for signer, executor in self._engine.senders.items():
            if signer not in self._engine.state.in_flight:
                self._abreast.begin(self._reconcile(signer, executor), signer)
        await self._abreast.wait(within_s)
        if not self._engine.state.in_flight:
            await self._settle_interrupted()
        elif self._abreast.at_work:
            self.fell_short = True  # the rest is written down when that has ended

    async def _reconcile(self, signer: Address, executor: Executor[Lane]) -> None:
        try:
            left = await executor.lane.reconcile(self.patience_s)
            self.fell_short |= not await self._bring_back(signer, executor)
        except SendFailedError as error:
            # it stays pending and is said again; a plan that is needed takes its nonce
            self._engine.observer.raise_alarm(
                f"reconcile:{signer}", "A transaction of an earlier run is not settled", str(error)
            )
        else:
            if left:
                self._engine.observer.reconciled(signer, len(left))

    async def look_back(self, within_s: float | None = None) -> None:
        """After a plan fell short: once nothing is pending, return what it left outside, before anything is decided.

        Past ``within_s`` other accounts go on, and this one is busy. After so long a try a block is judged before the
        next: a rescue may be due, and it comes first.
        """
        is_clear = True
        for signer, executor in self._engine.senders.items():
            if signer in self._engine.state.in_flight or not await executor.lane.is_clear():
                is_clear = False
            elif signer in self._late:
                self._late.discard(signer)
                is_clear = False
            else:
                self._abreast.begin(self._look_back(signer, executor), signer)
        await self._abreast.wait(within_s)
        self._late |= self._abreast.at_work
        if is_clear and not self._engine.state.in_flight:
            await self._settle_interrupted()
            self.fell_short = bool(self._outside)

    async def _look_back(self, signer: Address, executor: Executor[Lane]) -> None:
        self._outside.add(signer)
        if await self._bring_back(signer, executor):
            self._outside.discard(signer)

    async def take_back(self) -> None:
        """Use up signatures that were shown and not used, where nothing is pending; report where that cannot be."""
        for account, executor in self._engine.senders.items():
            if account in self._engine.state.in_flight:
                continue
            try:
                await self._aftermath.take_back(executor)
            except (NodeError, JournalError, SendFailedError) as error:
                title = "A signature that was shown could not be used up"
                self._engine.observer.raise_alarm(f"tend:{account}", title, str(error))

    async def tidy(self) -> None:
        """Take back what plans left approved, whatever else there is to do: the last thing before the end."""
        head, everybody = await self._engine.reader.blocks.head(), set(self._spenders())
        for account, executor in self._engine.senders.items():
            if account in self._engine.state.in_flight or not await executor.lane.is_clear():
                continue
            try:
                await self._tidy.look(account, executor, head, everybody, patience_s=None)
            except (NodeError, JournalError, ReadFailedError) as error:
                title = "An approval that a plan left could not be taken back"
                self._engine.observer.raise_alarm(f"approvals:{account}", title, str(error))

    async def _settle_interrupted(self) -> None:
        """Write down what was cut short, and let its rules act on until their targets are met."""
        if self._engine.terms.mode == "live":
            await self._aftermath.close_interrupted()
            head = await self._engine.reader.blocks.head()
            self._engine.state.rules = await self.loans.cut_short(head.timestamp)
            self._engine.perps.rules = await self.perps.cut_short(head.timestamp)
            self._engine.perps.book_rules = await self.books.cut_short(head.timestamp)

    async def _bring_back(self, signer: Address, executor: Executor[Lane]) -> bool:
        head, is_done = await self._engine.reader.blocks.head(), True
        for decision in await self._aftermath.cut_short(signer, head.timestamp):
            if not self._aftermath.takes_out(decision.position):
                continue
            # what the calls of a plan did can be said only once the market is known
            await self._engine.reader.find(decision.position, await self._engine.reader.blocks.head())
            if not await executor.lending.left_outside(decision.id, decision.position):
                continue
            is_done &= await self._aftermath.bring_back(decision, executor)
        return is_done

    @property
    def patience_s(self) -> float:
        """How long a start waits for what was left pending, before the positions are looked at again."""
        return max(5.0, 2 * self._settings.network.block_time_s)

    async def tend(self, head: BlockRef, needless: Collection[str], within_s: float | None = None) -> None:
        """See mined transactions through to finality; what a reorg took is sent again and followed.

        What an earlier plan left pending is called off once nothing asks for it any more. Past ``within_s`` that goes
        on beside the blocks, and any plan of the account goes before it.
        """
        engine = self._engine
        if await self._is_reorg(head):
            self._reorged |= set(engine.senders)
        for signer, executor in engine.senders.items():
            if signer in engine.state.in_flight:
                self._tidy.expect(signer)
            elif not executor.lane.sideline.is_under_way:
                self._abreast.begin_aside(self._tend(signer, executor, head, needless), executor.lane)
        await self._abreast.wait(within_s)
        self._last = head

    async def _tend(self, signer: Address, executor: Executor[Lane], head: BlockRef, needless: Collection[str]) -> None:
        engine, key = self._engine, f"tend:{signer}"
        try:
            is_reorg = signer in self._reorged
            taken = await executor.lane.tend(head, self._settings.daemon.confirmations, is_reorg=is_reorg)
            self._reorged.discard(signer)
            if taken:
                await self._aftermath.undone(executor)
                self.fell_short = True
            else:
                await self._aftermath.call_off(executor, needless, head)
            await self._aftermath.found(executor, needless)
            self.fell_short |= executor.lane.take_disproved()
            await self._aftermath.use_up_grant(executor)
            await self._aftermath.take_back(executor)
            if is_clear := await executor.lane.is_clear():
                await self._tidy.look(signer, executor, head, needless)
                is_clear = await executor.lane.is_clear()
        except UnsignedError as error:
            body = sentence(str(error), "It is asked again at the next block", error.reason.remedy)
            engine.observer.raise_alarm(key, "What plans left behind could not be signed away", body)
            return
        except (NodeError, JournalError, SendFailedError, ReadFailedError) as error:
            engine.observer.raise_alarm(key, "Mined transactions could not be checked", str(error))
            return
        engine.observer.clear_alarm(key, "They could be seen to.")
        if taken:
            engine.observer.reorganised(signer, taken)
        self._hear_of_leftovers(signer, executor.lane.take_trouble(), is_clear=is_clear)
        if not is_clear:
            executor.lane.follow_leftovers()

    async def close(self) -> None:
        """End what is done beside plans: the journal knows how far it came."""
        await self._abreast.close()

    def _hear_of_leftovers(self, signer: Address, trouble: BaseException | None, *, is_clear: bool) -> None:
        """Report that what is pending cannot be followed; it is tried again at once, and at each block."""
        key, title = f"leftovers:{signer}", "What is pending cannot be followed to its end"
        if trouble is not None:
            self._engine.observer.raise_alarm(key, title, str(trouble) or type(trouble).__name__)
        elif is_clear:
            for settled in (key, f"reconcile:{signer}"):
                self._engine.observer.clear_alarm(settled, "Nothing is pending any more.")

    async def _is_reorg(self, head: BlockRef) -> bool:
        """Return whether a head is on another history than the one seen to before. Raises NodeError."""
        last = self._last
        if last is None or not self._engine.senders or head.hash == last.hash:
            return False
        if head.number == last.number + 1:
            return head.parent_hash != last.hash
        return head.number <= last.number or (await self._engine.reader.blocks.block_at(last.number)).hash != last.hash
