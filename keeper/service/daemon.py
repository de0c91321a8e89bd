"""The loop: one cycle for each head that arrives; housekeeping beside it; an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from keeper.chain.errors import NodeError
from keeper.chain.nodes import Nodes
from keeper.core.book.rules import BookAssessment
from keeper.core.carry_on import until_target
from keeper.core.decide import NEEDLESS, Hold, asked_for
from keeper.core.family import Family
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, ratio_text
from keeper.engine.armed.arm import Arming
from keeper.engine.armed.oracle_events import Early
from keeper.engine.cycle import cycle
from keeper.engine.result import Result
from keeper.execution.course import SendFailedError
from keeper.execution.executor import Executor
from keeper.execution.lane import Lane
from keeper.execution.recovery import Aftermath, CarryOn
from keeper.journal import JournalError
from keeper.service.diary import Diary, Shown
from keeper.service.fire_drill import FireDrill
from keeper.service.heads import Arrivals
from keeper.service.housekeeping import Housekeeping
from keeper.service.opened import Opened
from keeper.service.panic import Panic
from keeper.service.renewal import Renewal, take_up
from keeper.service.supervisor import Supervisor
from keeper.service.tidy import Tidy
from keeper.service.watchful import Watchful, heartbeat_of
from keeper.settings import Settings
from keeper.snapshot.discovery import AmbiguousNameError
from keeper.venues.ports import ReadFailedError

FAILURES_TO_STOP_SIGNING = 5
GOOD_TO_SIGN_AGAIN = 5
FINISH_S = 90.0
"""How long a plan that is under way is waited for when the daemon is to end; whoever supervises it kills it at 120."""


class Daemon:
    """Keeps the positions of one engine until it is asked to stop."""

    def __init__(self, engine: Opened, settings: Settings, show: Shown | None = None) -> None:
        self._engine = engine
        self._diary = Diary(engine, show)
        self._settings = settings
        self._arrivals = Arrivals(engine, settings, self.reconcile, self._failed, self._between)
        self._housekeeping = Housekeeping(engine, settings)
        self._failures = 0
        self._good = 0
        self._last: BlockRef | None = None
        self._is_over = False
        self._waiting: tuple[Renewal, asyncio.Future[bool]] | None = None
        """Settings to be taken up between two blocks, and who waits for it."""
        self._aftermath = Aftermath(
            engine.journal, engine.observer, self._spenders(), engine.terms.max_fee, takes_out=self._takes_out
        )
        self._tidy = Tidy(engine, self._aftermath)
        self.panic = Panic(engine, settings)
        self._supervisor = Supervisor()
        self._lending = CarryOn(engine.journal, engine.state.rules, until_target)
        self._perps = CarryOn(engine.journal, engine.perps.rules, until_target)
        self._books = CarryOn(engine.journal, engine.perps.book_rules, until_target)
        self._arming = Arming(engine, settings.arm_within)
        self._drill = FireDrill(engine, settings.daemon.fire_drill_s)
        self._watchful = self._watching()
        self._early = Early(engine, self._landed) if settings.is_early else None
        engine.state.warms_up = self._early is None  # else it would stand in the way of what needs no read
        self._disagreeing = set[str]()
        self._reorged = set[Address]()
        """Signers whose past is to be looked at on the history there is now."""
        self._fell_short = False
        """Whether a plan may have left something outside its position."""

    async def run(self) -> None:
        """Run until it is asked to stop; what is in flight is finished first.

        Raises WrongChainError, AmbiguousNameError: at the start, for what no waiting would mend.
        """
        engine = self._engine
        engine.reader.listen()
        with contextlib.ExitStack() as jobs:
            jobs.callback(self._ends)
            async for head in self._arrivals.heads():
                await self.one(head)
                self._housekeeping.begin(jobs)
            self._supervisor.stopping()
            await self._arming.close()
            await self._diary.close()
            await self._drill.close()
            if self._early:
                await self._early.close()
            left = await engine.settle(within_s=FINISH_S)
            if left:
                engine.observer.left_under_way(sorted(left))
            for executor in engine.senders.values():
                await executor.lane.close()
        engine.observer.stopped()

    def stop(self) -> None:
        """Ask for an orderly end."""
        self._arrivals.stop()

    # --- other settings ----------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """What it goes by now."""
        return self._settings

    @property
    def engine(self) -> Opened:
        """What it keeps with."""
        return self._engine

    async def renew(self, found: Renewal) -> bool:
        """Go on by other settings from the next block on; return once it does, or that it is to end."""
        if self._is_over:
            return False
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting = found, done
        self._arrivals.rouse()
        return await done

    async def _between(self) -> bool:
        """Take up the settings that wait; return whether there were any: the newest block is judged by them as well."""
        if self._waiting is None:
            return False
        (found, done), self._waiting = self._waiting, None
        await self._arming.close()
        await self._drill.close()
        await take_up(self._engine, self._settings, found)
        self._go_by(found.settings)
        done.set_result(True)
        return True

    def _go_by(self, settings: Settings) -> None:
        engine = self._engine
        self._settings = self._arrivals.settings = self._housekeeping.settings = self.panic.settings = settings
        self._aftermath.spenders, self._aftermath.cap = self._spenders(), settings.max_fee
        self._lending.go_by(settings.rules)
        self._perps.go_by(settings.perp_rules)
        self._books.go_by(settings.book_rules)
        self._arming = Arming(engine, settings.arm_within)
        self._drill.every_s = settings.daemon.fire_drill_s
        self._watchful = self._watching()

    def _ends(self) -> None:
        self._is_over = True
        if self._waiting is not None:
            self._waiting[1].set_result(False)

    def _spenders(self) -> dict[str, Address]:
        return {name: position.spender for name, position in self._engine.reader.positions.items()}

    def _watching(self) -> Watchful:
        alerts = self._settings.alerts
        return Watchful(self._engine, alerts, lambda: self._drill.last, heartbeat_of(self._engine, alerts))

    def left(self, error: Exception) -> None:
        """Report that the positions are not kept any more, and why."""
        self._engine.observer.left(self._settings.network.name, error)

    async def one(self, head: BlockRef) -> None:
        """Run one cycle. The one broad ``except`` of a loop is here: a daemon that dies watches nothing."""
        self._arming.pause()
        self._drill.pause()
        if self._early:
            self._early.head(head)
        results: tuple[Result, ...] = ()
        is_judged = False
        try:
            await self._engine.hear_of_plans()
            if self._fell_short:  # maybe since just now
                await self.look_back()
            await self.panic.heed()
            results = await self._judge(head)
            await self.panic.saw(results)
            if self._early:
                self._early.reconcile()
                await self._early.follow()
            await self._tend(head, results)
        except NodeError as error:
            self._engine.observer.node_away(str(error), 1)
            self._arrivals.again()
        except JournalError as error:
            self._fell_short = True
            self._failed(error)
        except ReadFailedError as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - see above; repeated, it stops the signing and raises the alarm
            self._failed(error)
        else:
            is_judged = True
            self._went_well()
        await self._remember()
        self._diary.saw(results, is_judged=is_judged)
        self._arming.begin(results)
        self._drill.begin()
        if is_judged:
            await self._watchful.saw(results)
            self._supervisor.judged(f"{self._engine.terms.mode}, block {head.number}: {_shortly(results)}")
        await self._housekeeping.chores(head)

    async def _judge(self, head: BlockRef) -> tuple[Result, ...]:
        begun = time.monotonic()
        results = await cycle(self._engine, head)
        if self._engine.perps.is_used:
            self._engine.observer.perps(_margins(results), _deltas(results))
        node = self._engine.reader.blocks.node
        if isinstance(node, Nodes) and len(node.members) > 1:
            self._engine.observer.nodes({one.name: one.state for one in node.status()})
        self._engine.observer.block(head.number, _health(results), time.monotonic() - begun, len(self._afar))
        for result in results:
            if isinstance(result.outcome, asyncio.Task):
                result.outcome.add_done_callback(self._landed)
        self._doubt_what_is_known(results)
        for flaw in self._engine.reader.known.flaws:
            self._engine.observer.raise_alarm(f"flaw:{flaw}", "Something cannot be done", flaw)
        needless = _needless(results) | self._afar
        self._engine.state.rules = self.panic.loans(self._lending.at_rest(needless))
        self._engine.perps.rules = self.panic.perps(self._perps.at_rest(needless))
        self._engine.perps.book_rules = self._books.at_rest(needless)
        if any(hold.reason is Reason.NODE_AWAY for result in results for hold in result.holds):
            self._arrivals.again()  # a position could not be seen to: the block is not done with
        return results

    def _doubt_what_is_known(self, results: tuple[Result, ...]) -> None:
        """Where our figures differ from the protocol's anew, the market may not be what it was."""
        before, of = self._disagreeing, Reason.FIGURES_DISAGREE
        self._disagreeing = {r.name for r in results if any(hold.reason is of for hold in r.holds)}
        if self._disagreeing - before:
            self._engine.reader.forget()

    @property
    def _afar(self) -> frozenset[str]:
        """The positions of a large fleet that no rule can ask anything for, by the newest block."""
        return self._engine.state.seen.afar if self._engine.state.seen else frozenset()

    def _landed(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled() or task.exception() or task.result().may_have_left_something:
            self._fell_short = True

    def _went_well(self) -> None:
        self._engine.observer.cycle_went_well()
        self._failures = 0
        self._good += 1
        if self._good >= GOOD_TO_SIGN_AGAIN and not self._engine.state.may_sign:
            self._engine.state.may_sign = True
            self._engine.observer.sending_resumed()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, AmbiguousNameError):
            raise error  # no block will make it clear what the owner means
        self._failures += 1
        self._good = 0
        self._engine.observer.cycle_failed(error, self._failures)
        if self._failures >= FAILURES_TO_STOP_SIGNING and self._engine.state.may_sign:
            self._engine.state.may_sign = False
            self._engine.observer.sending_stopped(self._failures)

    # --- start, end, housekeeping ------------------------------------------------------------------------------------

    async def reconcile(self) -> None:
        """Settle what an earlier run or an outage left behind, before anything new is decided."""
        for signer, executor in self._engine.senders.items():
            if signer in self._engine.state.in_flight:
                continue
            try:
                left = await executor.lane.reconcile(self._patience_s())
                self._fell_short |= not await self._bring_back(signer, executor)
            except SendFailedError as error:
                # it stays pending and is said again; a plan that is needed takes its nonce
                self._engine.observer.raise_alarm(
                    f"reconcile:{signer}", "A transaction of an earlier run is not settled", str(error)
                )
            else:
                if left:
                    self._engine.observer.reconciled(signer, len(left))
        if not self._engine.state.in_flight:
            await self._settle_interrupted()

    async def look_back(self) -> None:
        """After a plan fell short: once nothing is pending, return what it left outside, before anything is decided."""
        executors, in_flight, is_done = self._engine.senders, self._engine.state.in_flight, True
        for signer, executor in executors.items():
            if signer in in_flight or not await executor.lane.is_clear():
                return
            is_done &= await self._bring_back(signer, executor)
        await self._settle_interrupted()
        self._fell_short = not is_done

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
                await self._tidy.look(account, executor, head, everybody)
            except (NodeError, JournalError, ReadFailedError) as error:
                title = "An approval that a plan left could not be taken back"
                self._engine.observer.raise_alarm(f"approvals:{account}", title, str(error))

    async def _settle_interrupted(self) -> None:
        """Write down what was cut short, and let its rules act on until their targets are met."""
        if self._engine.terms.mode == "live":
            await self._aftermath.close_interrupted()
            head = await self._engine.reader.blocks.head()
            self._engine.state.rules = await self._lending.cut_short(head.timestamp)
            self._engine.perps.rules = await self._perps.cut_short(head.timestamp)
            self._engine.perps.book_rules = await self._books.cut_short(head.timestamp)

    async def _bring_back(self, signer: Address, executor: Executor[Lane]) -> bool:
        head, is_done = await self._engine.reader.blocks.head(), True
        for decision in await self._aftermath.cut_short(signer, head.timestamp):
            if not self._takes_out(decision.position):
                continue
            # what the calls of a plan did can be said only once the market is known
            await self._engine.reader.find(decision.position, await self._engine.reader.blocks.head())
            if not await executor.lending.left_outside(decision.id, decision.position):
                continue
            is_done &= await self._aftermath.bring_back(decision, executor)
        return is_done

    def _takes_out(self, position: str) -> bool:
        return self._engine.family(position) is Family.LENDING

    def _patience_s(self) -> float:
        """How long a start waits for what was left pending, before the positions are looked at again."""
        return max(5.0, 2 * self._settings.network.block_time_s)

    async def _tend(self, head: BlockRef, results: tuple[Result, ...]) -> None:
        """See mined transactions through to finality; what a reorg took is sent again and followed.

        What an earlier plan left pending is called off once nothing asks for it any more.
        """
        engine = self._engine
        if await self._is_reorg(head):
            self._reorged |= set(engine.senders)
        for signer, executor in engine.senders.items():
            if signer in engine.state.in_flight:
                self._tidy.expect(signer)
                continue
            try:
                is_reorg = signer in self._reorged
                taken = await executor.lane.tend(head, self._settings.daemon.confirmations, is_reorg=is_reorg)
                self._reorged.discard(signer)
                if taken:
                    await self._aftermath.undone(executor)
                    self._fell_short = True
                else:
                    await self._aftermath.call_off(executor, _needless(results) | self._afar, head)
                await self._aftermath.found(executor, _needless(results) | self._afar)
                self._fell_short |= executor.lane.take_disproved()
                await self._aftermath.use_up_grant(executor)
                await self._aftermath.take_back(executor)
                is_clear = await executor.lane.is_clear()
                if is_clear:
                    await self._tidy.look(signer, executor, head, _needless(results) | self._afar)
            except (NodeError, JournalError, SendFailedError, ReadFailedError) as error:
                engine.observer.raise_alarm(f"tend:{signer}", "Mined transactions could not be checked", str(error))
                continue
            if taken:
                engine.observer.reorganised(signer, taken)
            self._hear_of_leftovers(signer, executor.lane.take_trouble(), is_clear=is_clear)
            if not is_clear:
                executor.lane.follow_leftovers()
        self._last = head

    def _hear_of_leftovers(self, signer: Address, trouble: BaseException | None, *, is_clear: bool) -> None:
        """Report that what is pending cannot be followed; it is tried again at once, and at each block."""
        key, title = f"leftovers:{signer}", "What is pending cannot be followed to its end"
        if trouble is not None:
            self._engine.observer.raise_alarm(key, title, str(trouble) or type(trouble).__name__)
        elif is_clear:
            self._engine.observer.clear_alarm(key, "Nothing is pending any more.")

    async def _is_reorg(self, head: BlockRef) -> bool:
        """Return whether a head is on another history than the one seen to before. Raises NodeError."""
        last = self._last
        if last is None or not self._engine.senders or head.hash == last.hash:
            return False
        if head.number == last.number + 1:
            return head.parent_hash != last.hash
        return head.number <= last.number or (await self._engine.reader.blocks.block_at(last.number)).hash != last.hash

    async def _remember(self) -> None:
        """Write down what the owner heard. That it cannot be is reported elsewhere, and costs an alarm heard twice."""
        with contextlib.suppress(JournalError):
            await self._engine.remember_alarms()


def _shortly(results: tuple[Result, ...]) -> str:
    """Return in a few words how all stands: for a line of status."""
    lowest = sorted(_health(results).items(), key=lambda one: one[1])[:3]
    unknown = sum(isinstance(r.assessed, Unjudged) for r in results)
    words = [f"{name} {ratio_text(health)}" for name, health in lowest]
    return ", ".join([*words, *([f"{unknown} unknown"] if unknown else [])]) or "watching"


def _needless(results: tuple[Result, ...]) -> set[str]:
    """Return the positions, and the books under all their rules, that no rule asks anything for but an alert."""
    held = [r for r in results if isinstance(r.decision, Hold)]
    at_rest = {id(r) for r in held if asked_for(r.holds).reason in NEEDLESS}
    return {r.name for r in results} - {r.name for r in results if id(r) not in at_rest}


def _margins(results: tuple[Result, ...]) -> dict[str, int]:
    return _headlines(results, Family.PERP)


def _deltas(results: tuple[Result, ...]) -> dict[str, int]:
    return {r.name: r.assessed.delta for r in results if isinstance(r.assessed, BookAssessment)}


def _health(results: tuple[Result, ...]) -> dict[str, int]:
    return _headlines(results, Family.LENDING)


def _headlines(results: tuple[Result, ...], family: Family) -> dict[str, int]:
    """Return the figure that owners go by, of each of a family that could be judged and has one."""
    judged = [(r.name, r.assessed) for r in results if r.family is family]
    found = [(name, of.headline) for name, of in judged if not isinstance(of, Unjudged)]
    return {name: figure for name, figure in found if figure is not None}
