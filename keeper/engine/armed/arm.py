"""Plans made ready in the background, block by block, for the prices at which a rule would fire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.chain.errors import NodeError
from keeper.core.armed.scenarios import Scenario, fires_at, rungs
from keeper.core.rules import NO_TRAIL, Assessment, Rule, Unjudged
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.core.units import Bps
from keeper.engine.armed.kinds import ARMS
from keeper.engine.armed.ladder import AnyArms, ladder, named, signer_of
from keeper.engine.armed.ready import AnyArmed
from keeper.engine.engine import Engine
from keeper.engine.result import Result
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
OVERRIDDEN = "rehearsed with the oracle overridden"
FINE, COARSE = Bps(5), Bps(50)
"""Basis points between rungs: at least, of plans that trade; always, of plans that trade nothing."""

Trigger = tuple[Rule[Any], Scenario, int]
"""A rule, what would have to move, and how far (parts in a million)."""


@dataclass(frozen=True, slots=True)
class Near:
    """A position near some of its triggers, the nearest first."""

    arms: AnyArms
    one: Assessment[Any]
    triggers: Sequence[Trigger]

    @property
    def name(self) -> str:
        """Its name."""
        found: str = self.one.position.name
        return found


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

    def begin(self, results: Sequence[Result]) -> None:
        """A block was judged: arm on it, unless the one before is still being armed on."""
        self._may_go.set()
        snapshot = self._engine.state.seen
        judged = [
            (ARMS[r.family], r.assessed) for r in results if r.family in ARMS and not isinstance(r.assessed, Unjudged)
        ]
        if self._band and snapshot and judged and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._arm_all(snapshot, judged))
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

    async def _arm_all(self, snapshot: Snapshot, judged: Sequence[tuple[AnyArms, Assessment[Any]]]) -> None:
        engine = self._engine
        found = [one for arms, assessed in judged if (one := self._near(arms, assessed)) is not None]
        nearest = sorted(found, key=lambda one: -one.triggers[0][2])[:POSITIONS]
        near = {one.name: one for one in nearest}
        engine.state.armed = {name: ready for name, ready in engine.state.armed.items() if name in near}
        try:
            await self._make_ready(snapshot, nearest)
            for name, one in near.items():
                if signer_of(engine, one.one) in engine.state.in_flight:
                    continue
                if not self._is_fresh(snapshot.block, one):
                    engine.state.armed[name] = tuple([armed async for armed in self._arm(snapshot, one)])
                engine.observer.armed(name, snapshot.block.number, len(engine.state.armed[name]))
        except (NodeError, JournalError, ReadFailedError) as error:
            engine.observer.not_armed(snapshot.block.number, str(error))
        reads = [read for ready in engine.state.armed.values() for armed in ready for read in armed.reads]
        engine.reader.also = tuple(dict.fromkeys(reads))

    def _is_fresh(self, block: BlockRef, near: Near) -> bool:
        """Whether the ladder of the block before still stands: every other block is enough, unless it is moved."""
        engine, outlook = self._engine, near.arms.outlook
        ready, executor = engine.state.armed.get(near.name), engine.senders.get(signer_of(engine, near.one))
        if not ready or engine.state.lineage.distance(block, ready[0].bounds.block.hash, 1) is None:
            return False
        before, nonce = ready[0].bounds.position, executor.lane.ready_nonce(block) if executor else ready[0].nonce
        if nonce != ready[0].nonce or not outlook.is_same(before, near.one.position):
            return False
        return outlook.prices(near.one.position) == outlook.prices(before)

    async def _make_ready(self, snapshot: Snapshot, near: Sequence[Near]) -> None:
        """Fetch nonce and tip of whoever may have to sign soon, and what the journal knows of rules that may fire."""
        engine, block = self._engine, snapshot.block
        for signer in dict.fromkeys(signer_of(engine, of.one) for of in near):
            executor = engine.senders.get(signer)
            if executor and signer not in engine.state.in_flight:
                await executor.lane.make_ready(block)
        engine.recollection.forget()
        for of in near:
            for rule in of.arms.rules(engine, of.name):
                await engine.past_of(rule, block)

    def _near(self, arms: AnyArms, one: Assessment[Any]) -> Near | None:
        """Return which acting rules would fire within the band; None where none would, or no price can be tried."""
        found, position = list[Trigger](), one.position
        trail = self._engine.perps.trails.get(position.name, NO_TRAIL)
        for verdict in one.verdicts:
            rule = verdict.rule
            if verdict.fired or rule.is_boost or rule.target is None or not rule.actions:
                continue
            for scenario in arms.outlook.scenarios(position, rule):
                factor = fires_at(arms.outlook, position, rule, scenario, self._band, trail)
                if factor is not None:
                    found.append((rule, scenario, factor))
        if not found or arms.account(self._engine, position.name).priced_at(position, position) is None:
            return None
        return Near(arms, one, sorted(found, key=lambda trigger: -trigger[2]))

    async def _arm(self, snapshot: Snapshot, near: Near) -> AsyncIterator[AnyArmed]:
        """Yield plans that passed their trial, the nearest price first."""
        engine, arms, tried = self._engine, near.arms, 0
        base = await arms.base(engine, snapshot, near.one, signer_of(engine, near.one))
        for rule, scenario, factor in near.triggers:
            trades = any(action.trades for action in rule.actions)
            step = max(FINE, Bps(rule.limits.max_slippage // 4)) if trades else COARSE
            await self._may_go.wait()
            factors = rungs(factor, step, RUNGS)
            found = await ladder(engine, arms, base, snapshot, near.one, scenario, factors, step)
            await base.watch(found)
            for rung in found:
                for plan in rung.plans:
                    tried += 1
                    if tried > MOST.get(self._simulator.where, MOST_HERE):
                        return
                    await self._may_go.wait()
                    how = f"armed at block {snapshot.block.number} for {named(arms, scenario, rung)}, {OVERRIDDEN}"
                    armed = await base.trial(rung, plan, step, how, self._simulator)
                    if isinstance(armed, Refused):
                        engine.observer.unfit(near.name, base.label(plan), armed.detail)
                        continue
                    yield armed
                    break
