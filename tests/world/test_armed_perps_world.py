"""Perpetual positions made ready on the real Perp v2: index prices put into Chainlink's place, and its own event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from armed_stage import AS_USUAL, AT_ONCE, Stage, staged
from proxy import RpcProxy
from scenes import DOLLAR, ETHER, Scene
from test_early import Following
from test_perps_kept import MARGIN, STOP, perps

from keeper.core.drills import DrillEnding
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.engine.armed.oracle_events import HOW, Early
from keeper.engine.cycle import cycle
from keeper.engine.perp.drill import perp_rehearsals, scene_of
from keeper.engine.perp.preflight import PerpPrepared
from sandbox.world import World

pytestmark = pytest.mark.world

STOPS = STOP.format(when='stop_loss = "2085"')


def squeezed(scene: Scene, *rules: str) -> Scene:
    """A short near its rule, its market above the index and its averages below: the mark follows the index."""
    desk = scene.world.perp
    desk.open(scene.owner, 1_185 * DOLLAR, -3 * ETHER)
    perps(scene, *rules)
    scene.world.set_price("WETH", "2080")
    scene.world.warp(60)
    desk.set_market_price("2095")
    scene.world.warp(60)
    scene.world.refresh_feeds()
    scene.world.mine()  # what the venue caches of a second stands for all of it
    scene.write()
    return scene


def seen(stage: Stage) -> PerpPosition:
    snapshot = stage.engine.state.seen
    assert snapshot is not None
    (found,) = [p for p in snapshot.positions if isinstance(p, PerpPosition)]
    return found


async def how(stage: Stage) -> str:
    """Judge the newest block; return how the plan that went out was rehearsed, or why nothing did."""
    await stage.look()
    (result,) = [r for r in stage.last if r.name == "short"]
    found = result.prepared.how if isinstance(result.prepared, PerpPrepared) else result.decision.reason.code  # type: ignore[union-attr]
    await stage.engine.settle()
    return found


async def test_the_mark_follows_the_index_by_the_contracts_own_rule(scene: Scene) -> None:
    """At every index price that is tried: what the venue then says is what was worked out, to the wei."""
    squeezed(scene, MARGIN.format(actions='"reduce"'))
    async with staged(scene) as stage:
        await stage.look()
        (leg,) = seen(stage).legs
        assert leg.mark_rule is not None
        found = stage.engine.reader.perp_account("short")
        for price in (1900, 2060, 2081, 2088, 2092, 2300):
            position = seen(stage)
            there = stage_at(position, price)
            codes = found.priced_at(there, position)
            assert codes is not None
            probe = found.probe("short", position.block)
            signer = stage.engine.reader.positions["short"].spender
            done = await stage.engine.rehearser_ahead.run(position.block, signer, (), probe.reads, codes)
            read = probe.decode(done.answers)
            assert read.legs[0].index_price == there.legs[0].index_price
            assert abs(read.legs[0].mark_price - there.legs[0].mark_price) * 10**4 <= read.legs[0].mark_price * 5


def stage_at(position: PerpPosition, price: int) -> PerpPosition:
    from keeper.core.armed.perp_prices import at_prices  # noqa: PLC0415 - beside what it is compared with

    return at_prices(position, {leg.market: price * 10**8 for leg in position.legs})


@pytest.mark.parametrize("rules", [STOPS, MARGIN.format(actions='"reduce"')])
async def test_an_acting_block_of_a_perpetual_is_one_read_and_one_send(
    scene: Scene, proxy: RpcProxy, rules: str
) -> None:
    """The head aside, nothing is asked between the read and the bytes; the journal says how it was rehearsed."""
    scene.url = proxy.url
    squeezed(scene, rules)
    desk, before = scene.world.perp, scene.nonce()
    async with staged(scene) as stage:
        await stage.arm()
        assert stage.engine.state.armed.get("short")
        scene.world.set_price("WETH", "2088")
        proxy.forget()
        assert (await how(stage)).startswith(AT_ONCE), stage.why
        asked = [request["method"] for request in proxy.asked]
        assert asked[: asked.index("eth_sendRawTransaction") + 1] == [
            "eth_getBlockByNumber",
            "eth_call",
            "eth_sendRawTransaction",
        ]
        (decision,) = [d for d in await stage.engine.journal.decisions.recent(9) if d.kind == "act"]
        assert decision.outcome_kind == "restored", decision.outcome
        assert "rehearsed with the oracle overridden" in decision.rehearsal["how"]  # type: ignore[index, call-overload]
    assert scene.nonce() == before + 1
    assert abs(desk.size(scene.owner)) < 3 * ETHER


def traded(scene: Scene, world: World) -> None:
    """The owner trades a little by hand."""
    world.perp.trade(scene.owner, -ETHER // 100)


def gap(scene: Scene, world: World) -> None:
    """The price rises past every rung."""
    world.set_price("WETH", "2200")


def market_away(scene: Scene, world: World) -> None:
    """The market runs from what the plan bears."""
    world.perp.set_market_price("2135")


@pytest.mark.parametrize(
    ("move", "why"),
    [
        (traded, "not what it was|nonce is not ready"),
        (gap, "beyond the rung"),
        (market_away, "trades at|beyond the rung"),
    ],
)
async def test_what_is_not_as_it_was_armed_is_not_sent_as_it_was(scene: Scene, move: Any, why: str) -> None:
    """It is rehearsed as usual, or held for its reason: exactly the bounds of loans."""
    squeezed(scene, STOPS)
    async with staged(scene) as stage:
        await stage.arm()
        assert stage.engine.state.armed.get("short")
        scene.world.set_price("WETH", "2088")
        move(scene, scene.world)
        await stage.keep_up()
        stage.why.clear()
        found = await how(stage)
        assert not found.startswith(AT_ONCE)
        assert found in (AS_USUAL, Reason.POOL_TOO_THIN.code, Reason.PRICE_DEVIATES.code, "rehearsal_failed")
        assert any(one in reason for one in why.split("|") for reason in stage.why), stage.why


@asynccontextmanager
async def following(scene: Scene) -> AsyncIterator[Following]:
    """Just below the stop, subscribed, and with a block that came as foretold."""
    scene.url = scene.world.url.replace("http", "ws", 1)
    squeezed(scene, STOPS)
    async with staged(scene) as stage:
        found = Following(stage, Early(stage.engine, lambda _: None))
        for _ in range(3):
            await found.block()
        await found.until(lambda: found.early.is_on)
        yield found
        await found.early.close()


async def test_the_oracles_event_sends_a_perpetuals_plan_and_nothing_is_read(scene: Scene) -> None:
    """The head and the log are enough: one transaction, the stop is done, and the read of the block bears it out."""
    desk = scene.world.perp
    async with following(scene) as path:
        node: Any = path.stage.engine.reader.blocks.node
        asked, ask = list[str](), node.ask

        async def noted(decode: Any, method: str, *params: Any) -> Any:
            asked.append(method)
            return await ask(decode, method, *params)

        node.ask = noted
        scene.world.set_price("WETH", "2088")
        (how_,) = await path.unread()
        assert how_.endswith(HOW)
        assert "eth_call" not in asked[: asked.index("eth_getTransactionReceipt")]
        await cycle(path.stage.engine, await path.stage.engine.reader.blocks.block_at(path.shot_at))
        path.early.reconcile()
        assert path.early.is_on, "the block was as foretold"
    assert desk.size(scene.owner) == 0


async def test_a_perpetual_and_a_loan_follow_one_feed_side_by_side(scene: Scene) -> None:
    """The loan's collateral and the market's index are one aggregator's answer: both are known by one event."""
    async with following(scene) as path:
        emitters = path.early._emitters
        markets = {leg.market for leg in seen(path.stage).legs}
        assert any(markets <= set(assets) for assets in emitters.values())


async def test_the_fire_drill_runs_a_rescue_at_the_price_that_fires_its_rule(scene: Scene) -> None:
    """On the real contracts, a price that has not come in the aggregator's place: and nothing of it is left behind."""
    squeezed(scene, MARGIN.format(actions='"reduce"'))
    async with staged(scene) as stage:
        await stage.look()
        engine, before = stage.engine, seen(stage)
        snapshot = engine.state.seen
        assert snapshot is not None
        (found,) = [await one() for one in perp_rehearsals(engine, snapshot, before)]
        assert found.ending is DrillEnding.WORKS, found
        assert found.plan.startswith("reduce")
        rule = engine.perps.rules[0]
        at = scene_of(engine, before, rule)
        assert at.codes, "the oracle was not moved"
        assert at.then.legs[0].index_price > before.legs[0].index_price
        await stage.look()
        assert seen(stage).legs[0].size == before.legs[0].size
