"""The world's other participants act on the chain by themselves."""

import time
from collections.abc import Callable

import pytest

from sandbox.actors import Actor, Arbitrageur, FeedKeeper, Liquidator
from sandbox.world import World

pytestmark = pytest.mark.world

LIMIT_S = 15.0


def wait_for(actor: Actor, done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < give_up, [str(action) for action in actor.actions]
        time.sleep(0.01)


def open_and_crash(world: World) -> str:
    owner = world.account(0).address
    world.open_position(owner, {"WETH": 10 * 10**18}, {"USDC": 14_000 * 10**6})
    world.set_price("WETH", 1600)
    return owner


def test_liquidator_takes_an_unsafe_position(world: World) -> None:
    with Liquidator(world) as liquidator:
        owner = open_and_crash(world)
        wait_for(liquidator, lambda: any(a.succeeded for a in liquidator.actions))
    assert world.debt("USDC", owner) < 14_000 * 10**6
    assert world.supplied("WETH", owner) < 10 * 10**18


def test_liquidator_leaves_a_healthy_position_alone(world: World) -> None:
    world.open_position(world.account(0).address, {"WETH": 10**18}, {"USDC": 10**9})
    liquidator = Liquidator(world)
    liquidator.act(world.w3.eth.block_number)
    assert liquidator.actions == []


def test_liquidator_with_a_watch_list_ignores_the_rest(world: World) -> None:
    owner = open_and_crash(world)
    Liquidator(world, watch=[world.account(5).address]).act(world.w3.eth.block_number)
    assert world.health_factor(owner) < 1
    Liquidator(world, watch=[owner]).act(world.w3.eth.block_number)
    assert world.debt("USDC", owner) < 14_000 * 10**6


def test_liquidator_is_held_back_by_a_pause(world: World) -> None:
    open_and_crash(world)
    world.pause("WETH")
    liquidator = Liquidator(world)
    liquidator.act(world.w3.eth.block_number)
    assert [a.succeeded for a in liquidator.actions] == [False]
    assert "ReservePaused" in liquidator.actions[0].text


def test_two_unsafe_positions_are_liquidated_in_the_same_block() -> None:
    with World.start(block_time=0.3) as ticking, Liquidator(ticking) as liquidator:
        for index in (1, 2):
            ticking.open_position(ticking.account(index).address, {"WBTC": 10**8}, {"DAI": 40_000 * 10**18})
        ticking.set_price("WBTC", 50_000)
        wait_for(liquidator, lambda: len(liquidator.actions) >= 2)
    assert len({action.block for action in liquidator.actions[:2]}) == 1


def test_arbitrageur_brings_every_pool_within_its_fee(world: World) -> None:
    with Arbitrageur(world) as arbitrageur:
        world.set_prices({"WETH": 1700, "LINK": 20})
        wait_for(arbitrageur, lambda: len(arbitrageur.actions) >= 6)
    for fee, reach in ((500, 0.0006), (3000, 0.0031)):
        assert abs(float(world.pool_price("WETH", "USDC", fee)) / 1700 - 1) < reach


def test_arbitrageur_rests_when_nothing_pays(world: World) -> None:
    world.set_price("WETH", "2000.5")
    arbitrageur = Arbitrageur(world)
    arbitrageur.act(world.w3.eth.block_number)
    assert arbitrageur.actions == []


def test_feeds_beat_before_they_are_stale(world: World) -> None:
    keeper = FeedKeeper(world)
    world.warp(3300)
    keeper.act(world.w3.eth.block_number)
    assert world.now - world.updated_at()["WETH"] < 60
    assert world.now - world.updated_at()["USDC"] > 3000


def test_actors_work_while_blocks_come_by_themselves() -> None:
    with World.start(block_time=0.3) as ticking, Liquidator(ticking) as liquidator, Arbitrageur(ticking) as arbitrageur:
        open_and_crash(ticking)
        wait_for(liquidator, lambda: any(a.succeeded for a in liquidator.actions))
        wait_for(arbitrageur, lambda: len(arbitrageur.actions) >= 5)
        failed = [str(a) for a in liquidator.actions + arbitrageur.actions if not a.succeeded]
    assert failed == []
