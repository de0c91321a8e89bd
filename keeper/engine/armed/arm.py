"""Plans made ready in the background, block by block, for the prices at which a rule would fire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from keeper.chain.errors import NodeError
from keeper.core.armed.accrual import is_same_account
from keeper.core.armed.bounds import Bounds, price_bounds
from keeper.core.armed.scenarios import Scenario, fires_at, rungs, scenarios
from keeper.core.lending.rules import LendingAssessment, Rule
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.core.units import Bps
from keeper.engine.armed.ladder import site_of
from keeper.engine.engine import Engine
from keeper.engine.lending.permits import used_up
from keeper.execution.armed import Armed, watched_for
from keeper.execution.rehearsal import ForkSimulator, NoFork, Refused
from keeper.journal import JournalError
from keeper.venues.ports import ReadFailedError

RUNGS = 8
"""Rungs of one ladder."""
MOST_HERE = 32
"""Plans rehearsed for one position at one block."""
MOST = {ForkSimulator.where: 2, NoFork.where: 0}
"""The same where each needs a fork of its own, or there is no way."""
POSITIONS = 16
"""Positions armed at one block: the nearest to their triggers."""
FINE, COARSE = Bps(5), Bps(50)
"""Basis points between rungs: at least, of plans that trade; always, of plans that trade nothing."""

Trigger = tuple[Rule, Scenario, int]
"""A rule, what would have to move, and how far (parts in a million)."""


class Arming:
    """Makes plans ready after each block: one block at a time, and never while one is judged."""

    def __init__(self, engine: Engine, band: Bps) -> None:
        self._engine = engine
        self._band = band
        self._task: asyncio.Task[None] | None = None
        self._may_go = asyncio.Event()
        self._simulator = engine.rehearser_ahead

    def pause(self) -> None:
        """A block is about to be judged: what is under way waits."""
        self._may_go.clear()

    def begin(self, assessed: Sequence[LendingAssessment]) -> None:
        """A block was judged: arm on it, unless the one before is still being armed on."""
        self._may_go.set()
        snapshot = self._engine.state.seen
        if self._band and snapshot and assessed and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._arm_all(snapshot, assessed))
            self._task.add_done_callback(self._ended)

    async def settled(self) -> None:
        """Wait until what is under way is done."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Stop."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._engine.observer.cycle_failed(error, 1)

    async def _arm_all(self, snapshot: Snapshot, assessed: Sequence[LendingAssessment]) -> None:
        engine = self._engine
        found_near = [(one, triggers) for one in assessed if (triggers := self._near(one))]
        nearest = sorted(found_near, key=lambda pair: -pair[1][0][2])[:POSITIONS]
        near = {one.position.name: (one, triggers) for one, triggers in nearest}
        engine.state.armed = {name: ready for name, ready in engine.state.armed.items() if name in near}
        try:
            await self._make_ready(snapshot, [one for one, _ in near.values()])
            for name, (one, triggers) in near.items():
                if engine.reader.positions[name].spender in engine.state.in_flight:
                    continue
                if not self._is_fresh(snapshot.block, one):
                    engine.state.armed[name] = tuple([armed async for armed in self._arm(snapshot, one, triggers)])
                engine.observer.armed(name, snapshot.block.number, len(engine.state.armed[name]))
        except (NodeError, JournalError, ReadFailedError) as error:
            engine.observer.not_armed(snapshot.block.number, str(error))
        reads = [read for ready in engine.state.armed.values() for armed in ready for read in armed.watched.reads]
        engine.reader.also = tuple(dict.fromkeys(reads))

    def _is_fresh(self, block: BlockRef, one: LendingAssessment) -> bool:
        """Whether the ladder of the block before still stands: every other block is enough, unless it is moved."""
        engine, signer = self._engine, self._engine.reader.positions[one.position.name].spender
        ready, executor = engine.state.armed.get(one.position.name), engine.senders.get(signer)
        if not ready or engine.state.lineage.distance(block, ready[0].bounds.block.hash, 1) is None:
            return False
        bounds, nonce = ready[0].bounds, executor.lane.ready_nonce(block) if executor else ready[0].nonce
        if nonce != ready[0].nonce or not is_same_account(bounds.position, one.position):
            return False
        prices = {h.asset: h.price.answer for h in one.position.holdings}
        return prices == {h.asset: h.price.answer for h in bounds.position.holdings}

    async def _make_ready(self, snapshot: Snapshot, near: Sequence[LendingAssessment]) -> None:
        """Fetch nonce and tip of whoever may have to sign soon, and what the journal knows of rules that may fire."""
        engine, block = self._engine, snapshot.block
        for signer in dict.fromkeys(engine.reader.positions[one.position.name].spender for one in near):
            executor = engine.senders.get(signer)
            if executor and signer not in engine.state.in_flight:
                await executor.lane.make_ready(block)
        engine.recollection.forget()
        for rule in engine.state.rules:
            if rule.position in {one.position.name for one in near}:
                await engine.past_of(rule, block)

    def _near(self, one: LendingAssessment) -> list[Trigger]:
        """Return which acting rules would fire within the band, the nearest first."""
        found = list[Trigger]()
        for verdict in one.verdicts:
            rule = verdict.rule
            if verdict.fired or rule.is_boost or rule.target is None or not rule.actions:
                continue
            for scenario in scenarios(one, rule):
                factor = fires_at(one, rule, scenario, self._band)
                if factor is not None:
                    found.append((rule, scenario, factor))
        return sorted(found, key=lambda trigger: -trigger[2])

    async def _arm(
        self, snapshot: Snapshot, one: LendingAssessment, triggers: Sequence[Trigger]
    ) -> AsyncIterator[Armed]:
        """Yield plans that passed their trial, the nearest price first."""
        site, tried = await site_of(self._engine, snapshot, one), 0
        for rule, scenario, factor in triggers:
            trades = any(action.trades for action in rule.actions)
            step = max(FINE, Bps(rule.limits.max_slippage // 4)) if trades else COARSE
            await self._may_go.wait()
            ladder = await site.ladder(scenario, rungs(factor, step, RUNGS), step)
            ways = [plan for rung in ladder for plan in rung.plans]
            permits = await used_up(self._engine, snapshot.block, ways, site.signer)
            watched = watched_for(ways, self._engine.venues(one.position.name), site.signer, site.allowances, permits)
            for rung in ladder:
                for plan in rung.plans:
                    tried += 1
                    if tried > MOST.get(self._simulator.where, MOST_HERE):
                        return
                    await self._may_go.wait()
                    prepared = await site.trial(rung, plan, self._simulator)
                    if isinstance(prepared, Refused):
                        self._engine.observer.unfit(one.position.name, plan.label, prepared.detail)
                        continue
                    bounds = Bounds(snapshot.block, one.position, price_bounds(one.position, rung.prices, step))
                    how = f"armed at block {snapshot.block.number} for {rung.name(scenario)}"
                    rehearsed = replace(prepared.rehearsed, how=f"{how}, rehearsed with the oracle overridden")
                    yield Armed(plan, prepared.script, rehearsed, bounds, site.nonce, watched)
                    break
