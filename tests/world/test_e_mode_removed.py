"""Governance takes an asset out of its e-mode category, or the owner leaves it, under a plan that was made in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from armed_stage import AT_ONCE, REPAY, SELL, rule, staged
from scenes import ETHER, Scene

from keeper.core.lending.rules import LendingAssessment
from keeper.core.reasons import Reason

pytestmark = pytest.mark.world

Act = Callable[[Scene], None]


def removed(scene: Scene, symbol: str, category: int) -> None:
    scene.world.configure("setAssetCollateralInEMode", scene.world.token(symbol).address, category, False)


def staked_is_removed(scene: Scene) -> None:
    removed(scene, "wstETH", 1)


def owner_leaves(scene: Scene) -> None:
    with scene.world.acting_as(scene.owner):
        scene.world.chain.send(scene.world.pool.functions.setUserEMode(0), scene.owner)


def is_frozen_too(scene: Scene) -> None:
    removed(scene, "wstETH", 1)
    scene.world.freeze("WETH")


@pytest.mark.parametrize("batch", [True, False], ids=["batch", "calls"])
@pytest.mark.parametrize("happen", [staked_is_removed, owner_leaves, is_frozen_too])
async def test_a_plan_decided_in_a_category_that_ends_costs_nothing_and_is_decided_anew(
    scene: Scene, happen: Act, batch: bool
) -> None:
    """The plan was made for bounds that are gone when it is mined; what it left undone is done by the new ones."""
    scene.rules = rule(SELL).replace('"1.25"', '"1.05"').replace('"1.60"', '"1.12"')
    scene.extra = '[safety]\nhealth_factor_floor = "1.005"\n'
    world = scene.world
    world.open_position(scene.owner, {"wstETH": 10 * ETHER}, {"WETH": 95 * ETHER // 10}, emode=1)
    away = world.token("WETH").functions.transfer(world.role("lp"), 95 * ETHER // 10)
    world.chain.send(away, scene.owner)
    scene.write()
    if batch:
        scene.config.write_text(scene.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))
    async with staged(scene) as stage:
        await stage.look()
        assert not stage.engine.state.in_flight
        world.configure("setEModeCategory", 1, 8200, 8300, 10100, "tightened")
        await stage.look()
        assert stage.engine.state.in_flight, "a plan is decided by the bounds as they are"
        happen(scene)
        before, owned = scene.health(), owed_in_ether(scene)
        await stage.engine.settle()
        decided = [d for d in await stage.engine.journal.decisions.recent(20) if d.kind == "act"]
        assert all(d.outcome is not None for d in decided)
        assert scene.health() >= before - 0.001
        for _ in range(5):
            seen = await stage.look()
            await stage.engine.settle()
            world.mine()
        assert Reason.FIGURES_DISAGREE not in [hold.reason for hold in seen.holds]
    assert scene.health() > 1.05, [d.outcome for d in decided]
    assert owed_in_ether(scene) >= owned * 0.99


def owed_in_ether(scene: Scene) -> float:
    world = scene.world
    staked = world.supplied("wstETH", scene.owner) + world.balance("wstETH", scene.owner)
    return (staked * 1.2 + world.balance("WETH", scene.owner) - world.debt("WETH", scene.owner)) / ETHER


async def test_a_plan_armed_in_a_category_that_ends_is_not_sent(scene: Scene) -> None:
    """It was rehearsed with other thresholds: when its price comes the position is judged, and rescued, as it is."""
    scene.rules = rule(REPAY).replace('"1.25"', '"1.32"').replace('"1.60"', '"1.50"')
    world = scene.world
    world.open_position(scene.owner, {"USDC": 20_000 * 10**6}, {"DAI": 14_000 * ETHER}, emode=2)
    world.mint("DAI", scene.owner, 20_000 * ETHER)
    world.set_price("DAI", "1.004")
    scene.write()
    async with staged(scene) as stage:
        assert await stage.arm(), stage.why
        removed(scene, "USDC", 2)
        world.set_price("DAI", "1.008")
        assert not (await stage.how()).startswith(AT_ONCE)
        seen = await stage.look()
        assert isinstance(seen.assessed, LendingAssessment)
        assert abs(seen.assessed.figures.health_factor / 1e18 - scene.health()) < 0.01
    assert scene.health() >= 1.5


async def test_a_plan_armed_in_a_category_that_stays_is_sent_at_once(scene: Scene) -> None:
    """So that the test above tests what it says."""
    scene.rules = rule(REPAY).replace('"1.25"', '"1.32"').replace('"1.60"', '"1.50"')
    world = scene.world
    world.open_position(scene.owner, {"USDC": 20_000 * 10**6}, {"DAI": 14_000 * ETHER}, emode=2)
    world.mint("DAI", scene.owner, 20_000 * ETHER)
    world.set_price("DAI", "1.004")
    scene.write()
    async with staged(scene) as stage:
        assert await stage.arm(), stage.why
        world.set_price("DAI", "1.008")
        assert (await stage.how()).startswith(AT_ONCE)
    assert scene.health() >= 1.5
