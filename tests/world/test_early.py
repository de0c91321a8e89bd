"""Acting on the oracle's own event: one request, no read; and what makes this path go silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from armed_stage import REPAY, SELL, Stage, near, staged
from scenes import Scene

from keeper.chain.nodes import Nodes
from keeper.chain.pushes import Log
from keeper.core.decide import Hold
from keeper.core.reasons import Reason
from keeper.core.units import Address
from keeper.engine.armed.oracle_events import HOW, Early
from keeper.engine.cycle import cycle
from keeper.venues.feeds.oracle_events import ANSWER_UPDATED

pytestmark = pytest.mark.world

OFF = "Oracle events are not acted on"


@dataclass
class Following:
    """A stage with the path under test."""

    stage: Stage
    early: Early
    shot_at: int = 0

    async def block(self) -> None:
        """A block as the daemon takes it: judged, compared, armed on."""
        self.stage.scene.world.mine()
        await self.look()

    async def look(self) -> None:
        """The newest block as the daemon takes it."""
        self.early.head(await self.stage.engine.reader.blocks.head())
        await self.stage.arm()
        self.early.reconcile()
        await self.early.follow()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for something that is pushed."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - it comes from another program
                await asyncio.sleep(0.01)

    async def unread(self) -> list[str]:
        """The newest block's head only: nothing is read. Return how the plans that went out were rehearsed."""
        head = await self.stage.engine.reader.blocks.head()
        self.shot_at = head.number
        self.early.head(head)
        await asyncio.sleep(0.3)
        await self.stage.engine.settle()
        acts = [d for d in await self.stage.engine.journal.decisions.recent(9) if d.kind == "act"]
        return [d.rehearsal["how"] for d in acts]  # type: ignore[index, call-overload]

    async def tell(self, price: int) -> None:
        """A node tells of an answer that the oracle never gave, in the newest block."""
        head = await self.stage.engine.reader.blocks.head()
        feed = Address(self.stage.scene.world.addresses["feeds"]["WETH"])
        topics = (ANSWER_UPDATED, f"0x{price * 10**8:064x}", f"0x{99:064x}")
        data = head.timestamp.to_bytes(32, "big")
        self.early.on_log(Log(feed, topics, data, head.number, head.hash, "0x", 0, removed=False))


@asynccontextmanager
async def following(scene: Scene, actions: str = REPAY) -> AsyncIterator[Following]:
    """Just above the trigger, subscribed, and with a block that came as foretold."""
    scene.url = scene.world.url.replace("http", "ws", 1)
    near(scene, actions, dollars=20_000 if actions == REPAY else 0)
    async with staged(scene) as stage:
        found = Following(stage, Early(stage.engine, lambda _: None))
        for _ in range(3):
            await found.block()
        await found.until(lambda: found.early.is_on)
        yield found
        await found.early.close()


async def test_an_event_sends_what_was_made_ready_and_nothing_is_read(scene: Scene) -> None:
    """The head and the log are enough: one transaction, rescued, and the journal says how."""
    async with following(scene) as path:
        node: Any = path.stage.engine.reader.blocks.node
        asked, ask = list[str](), node.ask

        async def noted(decode: Any, method: str, *params: Any) -> Any:
            asked.append(method)
            return await ask(decode, method, *params)

        node.ask = noted
        path.stage.come()
        (how,) = await path.unread()
        assert how.endswith(HOW)
        assert "eth_call" not in asked[: asked.index("eth_getTransactionReceipt")]  # which is asked for what was sent
        await cycle(path.stage.engine, await path.stage.engine.reader.blocks.block_at(path.shot_at))
        path.early.reconcile()
        await path.block()
        assert path.early.is_on, "the block was as foretold"
    assert scene.health() >= 1.6


async def test_interest_is_foretold_to_a_part_in_a_billion(scene: Scene) -> None:
    """A day between two blocks, and prices that moved: still as foretold."""
    async with following(scene) as path:
        scene.world.warp(3600)
        path.stage.come("1966")
        await path.look()
        await path.block()
        assert path.early.is_on


async def test_a_wrong_event_costs_one_rescue_and_the_path(scene: Scene) -> None:
    """The plan that goes out is within the owner's limits; the read of the block ends it, and tells."""
    async with following(scene) as path:
        scene.world.mine()
        await path.tell(1955)
        head = await path.stage.engine.reader.blocks.head()
        assert len(await path.unread()) == 1
        await cycle(path.stage.engine, head)
        path.early.reconcile()
        assert not path.early.is_on
        assert OFF in path.stage.engine.observer.alarms
        scene.world.mine()
        await path.tell(1955)
        assert len(await path.unread()) == 1, "no second shot"


async def test_a_block_acted_on_and_never_read_ends_the_path(scene: Scene) -> None:
    """What nothing bore out is not trusted again."""
    async with following(scene) as path:
        path.stage.come()
        assert len(await path.unread()) == 1
        await path.block()
        assert not path.early.is_on


async def test_a_wrong_event_far_from_the_second_source_sells_nothing(scene: Scene) -> None:
    """Beyond the deviation the price is in doubt; and no plan was made ready for it."""
    async with following(scene, SELL) as path:
        scene.world.mine()
        before = scene.nonce()
        await path.tell(1700)
        assert await path.unread() == []
        assert scene.nonce() == before


async def test_a_price_that_no_event_told_of_ends_the_path(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that pushes only some of the events cannot be relied upon."""

    class Silent:
        is_live = True

        def cancel(self) -> None:
            pass

    monkeypatch.setattr(Nodes, "subscribe_logs", lambda *_: Silent())
    async with following(scene) as path:
        path.stage.come("1966")
        await path.look()
        await path.block()
        assert not path.early.is_on
        assert OFF in path.stage.engine.observer.alarms


async def test_one_shot_a_block(scene: Scene) -> None:
    """However many events of a block there are."""
    async with following(scene) as path:
        path.stage.come()
        for _ in range(3):
            await path.tell(1955)
        assert len(await path.unread()) == 1


async def test_a_gap_in_what_is_pushed_asks_for_a_block_as_foretold_first(scene: Scene) -> None:
    """After a lost connection events may have been missed."""
    async with following(scene) as path:
        path.early.on_gap()
        path.stage.come()
        assert await path.unread() == []
        await path.look()
        await path.stage.engine.settle()
    assert scene.health() >= 1.6, "the usual way rescued it"


async def test_a_plan_under_way_is_not_doubled_by_the_read(scene: Scene) -> None:
    """The event's block is read as ever: the signer is busy with it."""
    async with following(scene) as path:
        path.stage.come()
        scene.world.rpc("evm_setAutomine", False)
        path.early.head(await path.stage.engine.reader.blocks.head())
        await path.until(lambda: path.stage.engine.state.in_flight)
        result = await path.stage.look()
        assert isinstance(result.decision, Hold)
        assert result.decision.reason is Reason.IN_FLIGHT
        scene.world.rpc("evm_setAutomine", True)
        scene.world.mine()
        await path.stage.engine.settle()
    assert scene.health() >= 1.6


@pytest.mark.parametrize("is_doubted", [True, False])
async def test_an_event_of_a_block_whose_time_cannot_be_sells_nothing(scene: Scene, is_doubted: bool) -> None:
    """How old a price is, and what was spent today, hang on it: the guard of the usual way guards this one too."""
    async with following(scene, SELL) as path:
        engine = path.stage.engine
        engine.reader.network = replace(engine.reader.network, follows_clock=True)
        path.stage.come()
        block_s = (await engine.reader.blocks.head()).timestamp
        engine.clock = SimpleNamespace(wall=lambda: block_s + (3600.0 if is_doubted else 12.0))  # type: ignore[assignment]
        before = scene.nonce()
        how = await path.unread()
        assert (scene.nonce() == before) is is_doubted
        assert [h.endswith(HOW) for h in how] == ([] if is_doubted else [True])
