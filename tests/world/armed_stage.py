"""A keeper in this process, live, with a position just above its trigger; the tests of armed plans play on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from scenes import DOLLAR, Scene

from keeper.core.units import Bps
from keeper.engine.armed.arm import Arming
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.engine.result import Result
from keeper.service import app
from keeper.settings import load

NEAR, THERE = "1965", "1955"
"""Just above the price at which the rule fires (1957.8), and a rung below it."""
AT_ONCE, AS_USUAL = "armed at block", "rehearsed at this block"
SELL, REPAY = '"deleverage"', '"repay"'


def rule(actions: str, position: str = "eth-loop") -> str:
    """Return the rule that protects a position by some actions."""
    return f"""
[[rules]]
name = "protect"
position = "{position}"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = [{actions}]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 50
max_spend_per_day_usd = "20000"
max_fee_gwei = "200"
"""


@dataclass
class Stage:
    """One engine, looked at block by block."""

    scene: Scene
    engine: Engine
    arming: Arming
    why: list[str] = field(default_factory=list)
    """Why plans made ready were not used."""

    async def look(self) -> Result:
        """Judge the newest block, and act; return what became of the first position."""
        self.arming.pause()
        results = await cycle(self.engine, await self.engine.reader.blocks.head())
        self.last = results
        (first, *_) = results
        assert isinstance(first, Result)
        return first

    async def arm(self) -> int:
        """Judge the newest block and make plans ready on it; return how many."""
        await self.look()
        self.arming.begin(self.last)
        await self.arming.settled()
        return len(self.engine.state.armed.get("eth-loop", ()))

    async def how(self) -> str:
        """Judge the newest block; return how the plan that went out was rehearsed, or why nothing did."""
        result = await self.look()
        found = result.prepared.rehearsed.how if result.prepared else result.decision.reason.code  # type: ignore[union-attr]
        await self.engine.settle()
        return found

    async def keep_up(self) -> None:
        """See the blocks that went by since, and have the lane ready on the last but one: only the state is another."""
        blocks = self.engine.reader.blocks
        head, seen = await blocks.head(), self.engine.state.seen
        assert seen is not None
        for number in range(seen.block.number + 1, head.number):
            before = await blocks.block_at(number)
            self.engine.state.lineage.saw(before)
            for executor in self.engine.senders.values():
                await executor.lane.make_ready(before)

    def come(self, price: str = THERE) -> None:
        """Let the price come."""
        self.scene.world.set_price("WETH", price)


def near(scene: Scene, actions: str, *, dollars: int = 0, batch: bool = True) -> Scene:
    """Open the position, write the settings, and stop just above the trigger."""
    scene.rules = rule(actions)
    scene.open()
    if dollars:
        scene.world.mint("USDC", scene.signer, dollars * DOLLAR)
    scene.crash(NEAR)
    scene.write()
    if batch:
        scene.config.write_text(scene.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))
    return scene


@asynccontextmanager
async def staged(scene: Scene, *, is_live: bool = True) -> AsyncIterator[Stage]:
    """Open the engine of a scene."""
    async with app.opened(load(scene.config, {}), is_live=is_live) as engine:
        await engine.reader.blocks.check_chain()
        arming = Arming(engine, Bps(500))
        stage = Stage(scene, engine, arming)
        engine.observer.unfit = lambda _position, _label, why: stage.why.append(why)  # type: ignore[method-assign]
        yield stage
        await arming.close()
