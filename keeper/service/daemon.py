"""The loop: one cycle for each head that arrives; housekeeping beside it; an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from keeper.chain.errors import NodeError
from keeper.chain.nodes import Nodes
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.engine.armed.arm import Arming
from keeper.engine.armed.oracle_events import Early
from keeper.engine.beginning import hear_of_plans
from keeper.engine.cycle import cycle
from keeper.engine.result import Result
from keeper.journal import JournalError
from keeper.service.abreast import PATIENCE_S
from keeper.service.afterwards import Afterwards
from keeper.service.diary import Diary, Shown
from keeper.service.fire_drill import FireDrill
from keeper.service.heads import Arrivals
from keeper.service.housekeeping import Housekeeping
from keeper.service.opened import Opened
from keeper.service.panic import Panic
from keeper.service.renewal import Renewal, followed, take_up
from keeper.service.standing import deltas, health, is_in_the_dark, margins, needless, shortly
from keeper.service.supervisor import Supervisor
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
        self.afterwards = Afterwards(engine, settings)
        self._arrivals = Arrivals(engine, settings, self._reconcile, self._failed, self._between, self._diary.waits)
        self._housekeeping = Housekeeping(engine, settings)
        self._failures = 0
        self._good = 0
        self._is_over = False
        self._waiting: tuple[Renewal, asyncio.Future[bool]] | None = None
        """Settings to be taken up between two blocks, and who waits for it."""
        self.panic = Panic(engine, settings)
        self._supervisor = Supervisor()
        self._arming = Arming(engine, settings.arm_within)
        self._drill = FireDrill(engine, settings.daemon.fire_drill_s)
        self._watchful = self._watching()
        self._early = Early(engine, self._landed) if settings.is_early else None
        engine.state.warms_up = self._early is None  # else it would stand in the way of what needs no read
        self._disagreeing = set[str]()

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
            await self.afterwards.close()
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
        if self._waiting is None or followed(self._engine, self._settings, self._waiting[0].settings):
            return False  # a plan that began meanwhile ends first, by the settings it was made by
        (found, done), self._waiting = self._waiting, None
        await self._arming.close()
        await self._drill.close()
        await self.afterwards.close()  # what plans left is seen to by the settings there are then
        await take_up(self._engine, self._settings, found)
        self._go_by(found.settings)
        done.set_result(True)
        return True

    def _go_by(self, settings: Settings) -> None:
        engine = self._engine
        self._settings = self._arrivals.settings = self._housekeeping.settings = self.panic.settings = settings
        self.afterwards.go_by(settings)
        self._arming = Arming(engine, settings.arm_within)
        self._drill.every_s = settings.daemon.fire_drill_s
        self._watchful = self._watching()

    async def _reconcile(self) -> None:
        """Settle what is in flight when the node is met; who is slow to sign keeps nobody in the dark."""
        await self._engine.hold_leases()
        await self.afterwards.reconcile(self.afterwards.patience_s + PATIENCE_S)

    def _ends(self) -> None:
        self._is_over = True
        if self._waiting is not None:
            self._waiting[1].set_result(False)

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
            await self._engine.hold_leases()
            await hear_of_plans(self._engine)
            if self.afterwards.fell_short:  # maybe since just now
                await self.afterwards.look_back(PATIENCE_S)
            await self.panic.heed()
            results = await self._judge(head)
            await self.panic.saw(results)
            if self._early:
                self._early.reconcile()
                await self._early.follow()
            await self.afterwards.tend(head, needless(results) | self._afar, PATIENCE_S)
        except NodeError as error:
            self._engine.observer.node_away(str(error), 1)
            self._arrivals.again()
        except JournalError as error:
            self.afterwards.fell_short = True
            self._failed(error)
        except ReadFailedError as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - see above; repeated, it stops the signing and raises the alarm
            self._failed(error)
        else:
            is_judged = True
            self._went_well()
        await self._remember()
        await self._show(head, results, is_judged=is_judged)
        await self._housekeeping.chores(head)

    async def _show(self, head: BlockRef, results: tuple[Result, ...], *, is_judged: bool) -> None:
        """Hand on what was seen. A block at which nothing could be seen to is no sign of life."""
        is_seen = is_judged and not is_in_the_dark(results)
        self._diary.saw(results, is_judged=is_seen)
        self._arming.begin(results)
        self._drill.begin()
        if is_judged:
            await self._watchful.saw(results)
        if is_seen:
            self._supervisor.judged(f"{self._engine.terms.mode}, block {head.number}: {shortly(results)}")

    async def _judge(self, head: BlockRef) -> tuple[Result, ...]:
        begun = time.monotonic()
        results = await cycle(self._engine, head)
        if self._engine.perps.is_used:
            self._engine.observer.perps(margins(results), deltas(results))
        node = self._engine.reader.blocks.node
        if isinstance(node, Nodes) and len(node.members) > 1:
            self._engine.observer.nodes({one.name: one.state for one in node.status()})
        self._engine.observer.block(head.number, health(results), time.monotonic() - begun, len(self._afar))
        for result in results:
            if isinstance(result.outcome, asyncio.Task):
                result.outcome.add_done_callback(self._landed)
        self._doubt_what_is_known(results)
        for flaw in self._engine.reader.known.flaws:
            self._engine.observer.raise_alarm(f"flaw:{flaw}", "Something cannot be done", flaw)
        at_rest = needless(results) | self._afar
        self._engine.state.rules = self.panic.loans(self.afterwards.loans.at_rest(at_rest))
        self._engine.perps.rules = self.panic.perps(self.afterwards.perps.at_rest(at_rest))
        self._engine.perps.book_rules = self.afterwards.books.at_rest(at_rest)
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
            self.afterwards.fell_short = True

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

    async def _remember(self) -> None:
        """Write down what the owner heard. That it cannot be is reported elsewhere, and costs an alarm heard twice."""
        with contextlib.suppress(JournalError):
            await self._engine.remember_alarms()
